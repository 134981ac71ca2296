//! The tables of `docs/kernels.md`, made from what the driver itself goes by, so that the document
//! cannot say anything else.

use super::operations::OPERATIONS;
use super::{CAPABILITIES, Kernel};
use crate::backend::uring::encode::opcode;
use crate::backend::uring::setup::REQUIRED;
use crate::call::Class;
use crate::request::Request;
use crate::request::examples::examples;

const DOCUMENT: &str = include_str!("../../../docs/kernels.md");
/// The same file seen from where tests of this package run.
const PATH: &str = "../docs/kernels.md";
const BEGIN: &str = "<!-- the tables -->\n";
const END: &str = "<!-- end of the tables -->\n";
const COMMAND: &str = "KERNELS_DOC=write cargo test -p wakering-ring-driver --lib document";

/// The capability on which this form of an operation depends beside its opcode.
fn capability(request: &Request) -> Option<&'static str> {
    match request {
        Request::AcceptMulti { .. } => Some("multishot_accept"),
        Request::RecvPooled { .. } => Some("buf_ring"),
        Request::RecvMulti { .. } => Some("multishot_recv"),
        Request::RecvMsgMulti { .. } => Some("multishot_recvmsg"),
        Request::SendZc { .. } => Some("send_zc"),
        Request::MsgRing { .. } => Some("msg_ring"),
        _ => None,
    }
}

fn first_kernel(request: &Request) -> Option<Kernel> {
    let (_, brought) = OPERATIONS[usize::from(opcode(request)?)];
    let form = CAPABILITIES.iter().find(|entry| Some(entry.0) == capability(request));
    Some(form.map_or(brought, |entry| entry.1.max(brought)))
}

/// What is done on a ring that lacks it, and without a ring.
fn instead(request: &Request) -> [String; 2] {
    if let Some(capability) = capability(request) {
        return [(); 2].map(|()| format!("as without `{capability}`"));
    }
    let (on_ring, alone) = match request.class() {
        Class::Blocking if matches!(request, Request::Read { .. }) => {
            let both = "at once from the page cache, else on the pool";
            (both, both)
        }
        Class::Blocking => ("on the pool", "on the pool"),
        Class::Untold => ("on the pool", "tried again after pauses of 1 to 32 ms"),
        Class::Readiness(_) => ("once the descriptor is ready", "once epoll tells readiness"),
        Class::None => ("at once", "at once"),
    };
    let required = REQUIRED.iter().any(|&(_, code)| Some(code) == opcode(request));
    let by_loop = required && request.class() == Class::None;
    [
        if required { "nothing, such a ring is refused" } else { on_ring }.to_owned(),
        if by_loop { "by the loop itself" } else { alone }.to_owned(),
    ]
}

fn tables() -> String {
    let mut lines = vec![
        "| operation | opcode | first kernel | where the ring lacks it | without io_uring |".into(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for (functions, request) in examples() {
        let functions: Vec<String> = functions
            .split(", ")
            .map(|name| if name.contains(' ') { name.to_owned() } else { format!("`{name}`") })
            .collect();
        let opcode = opcode(&request).map(|code| OPERATIONS[usize::from(code)].0);
        let opcode = opcode.map_or("none".to_owned(), |name| format!("`{name}`"));
        let kernel = first_kernel(&request).map_or("none".to_owned(), |kernel| kernel.to_string());
        let [on_ring, alone] = instead(&request);
        lines.push(format!(
            "| {} | {opcode} | {kernel} | {on_ring} | {alone} |",
            functions.join(", ")
        ));
    }
    lines.push(String::new());
    lines.push("| capability | first kernel | what it is | without it |".into());
    lines.push("|---|---|---|---|".into());
    for (name, kernel, what, without) in CAPABILITIES {
        let what = what.trim().trim_end_matches('.');
        lines.push(format!("| `{name}` | {kernel} | {what} | {without} |"));
    }
    lines.join("\n") + "\n"
}

/// Given the document; when its tables are made anew; then they are what stands there.
#[test]
fn the_document_says_what_the_driver_does() {
    let (before, rest) = DOCUMENT.split_once(BEGIN).expect("the mark where the tables begin");
    let (written, after) = rest.split_once(END).expect("the mark where the tables end");
    let tables = tables();
    if std::env::var_os("KERNELS_DOC").is_some_and(|value| value == "write") {
        std::fs::write(PATH, format!("{before}{BEGIN}{tables}{END}{after}")).expect(PATH);
        return;
    }
    for (written, made) in written.lines().zip(tables.lines()) {
        assert_eq!(written, made, "docs/kernels.md is behind the code: {COMMAND}");
    }
    assert_eq!(written, tables, "docs/kernels.md is behind the code: {COMMAND}");
}
