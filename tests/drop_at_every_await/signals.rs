//! Rows of signals.

use wakering::driver::testing::{ignore, in_child, send};
use wakering::signal::{SignalKind, ctrl_c, shutdown, signal};
use wakering::spawn;
use wakering::task::yield_now;

use crate::row;

/// Sends `kind` to this process when others have had their turn.
fn send_soon(kind: SignalKind) {
    spawn(async move {
        yield_now().await;
        send(kind, std::process::id());
    });
}

#[test]
fn waiting_for_signals() {
    in_child("signals::waiting_for_signals", || {
        // What comes when nobody listens any more must not end the test.
        ignore(SignalKind::interrupt());
        ignore(SignalKind::terminate());
        row("runtime::Signal::recv", async || {
            let mut terminate = signal(SignalKind::terminate()).unwrap();
            send_soon(SignalKind::terminate());
            terminate.recv().await.unwrap();
        });
        row("runtime::Signals", async || {
            let requests = shutdown();
            send_soon(SignalKind::terminate());
            requests.await.unwrap();
        });
        row("runtime::ctrl_c", async || {
            send_soon(SignalKind::interrupt());
            ctrl_c().await.unwrap();
        });
    });
}
