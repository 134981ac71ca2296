//! A command under a filter that forbids io_uring, as containers have it: whatever runs in ordinary
//! surroundings can be run in poor ones, too.

use std::os::unix::process::CommandExt;
use std::process::Command;

use wakering_ring_driver::testing::forbid_io_uring;

const EPERM: i32 = 1;
const ENOSYS: i32 = 38;

const USAGE: &str = "usage: cargo xtask forbid-uring [enosys] -- COMMAND [ARGS]...";

/// Becomes the command that `words` name. Returns only why it cannot.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let (errno, mut command) = parse(words)?;
    // The filter is this thread's and goes along with it through exec.
    forbid_io_uring(errno);
    Err(become_it(&mut command))
}

/// Why this process could not become `command`: where it can, nobody is left to be told.
fn become_it(command: &mut Command) -> String {
    let error = command.exec();
    format!("cannot run {}: {error}", command.get_program().display())
}

/// What io_uring's calls answer, and the command.
fn parse(words: &[&str]) -> Result<(i32, Command), String> {
    let (errno, words) = match words {
        ["enosys", rest @ ..] => (ENOSYS, rest),
        rest => (EPERM, rest),
    };
    match words {
        ["--", program, args @ ..] => {
            let mut command = Command::new(program);
            command.args(args);
            Ok((errno, command))
        }
        [] | ["--"] => Err(format!("forbid-uring needs a command\n{USAGE}")),
        [other, ..] => Err(format!("forbid-uring takes `enosys` or `--`, not {other:?}\n{USAGE}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<(i32, Vec<String>), String> {
        parse(words).map(|(errno, command)| {
            let words = [command.get_program()].into_iter().chain(command.get_args());
            (errno, words.map(|word| word.to_string_lossy().into_owned()).collect())
        })
    }

    #[test]
    fn what_stands_behind_the_dashes_is_the_command() {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        assert_eq!(parsed(&["--", "ls", "-l"]), Ok((EPERM, words(&["ls", "-l"]))));
        assert_eq!(parsed(&["enosys", "--", "ls", "--"]), Ok((ENOSYS, words(&["ls", "--"]))));
        assert_eq!(parsed(&["--", "enosys"]), Ok((EPERM, words(&["enosys"]))));
    }

    #[test]
    fn what_is_no_command_is_told() {
        for none in [&[][..], &["--"], &["enosys"], &["enosys", "--"]] {
            assert!(parsed(none).unwrap_err().starts_with("forbid-uring needs a command\n"));
        }
        assert!(parsed(&["eacces", "--", "ls"]).unwrap_err().contains(r#"not "eacces""#));
        assert!(parsed(&["enosys", "ls"]).unwrap_err().contains(r#"not "ls""#));
        let error = become_it(&mut Command::new("no/such/program"));
        assert!(error.starts_with("cannot run no/such/program: No such file"), "{error}");
    }
}
