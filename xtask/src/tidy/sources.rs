//! What may stand in a file, and how it opens.

/// The crates with what their roots say about unsafe code: `forbid` where it has no business at
/// all.
const ROOTS: &[(&str, &str)] = &[
    ("ring-driver/src/lib.rs", "deny"),
    ("runtime/src/lib.rs", "deny"),
    ("net/src/lib.rs", "forbid"),
    ("fs/src/lib.rs", "forbid"),
    ("http/src/lib.rs", "forbid"),
    ("macros/src/lib.rs", "forbid"),
    ("src/lib.rs", "forbid"),
    ("bench-harness/src/main.rs", "forbid"),
    ("xtask/src/main.rs", "forbid"),
];

/// The folders that speak std's words and never the kernel's.
const KERNEL_FREE: &[&str] =
    &["runtime/src/", "net/src/", "fs/src/", "http/src/", "macros/src/", "src/"];

/// The crates that know the kernel.
const KERNEL_CRATES: &[&str] = &["libc", "rustix", "socket2"];

/// The folders of programs that run on every backend alike.
const PROGRAMS: &[&str] = &["bench-harness/src/"];

/// The list of other people's programs, which are called what they are.
const RIVALS: &str = "bench-harness/src/compare/contestant.rs";

/// What only a source that tells backends apart has to say.
const BACKENDS: &[&str] = &[
    "Backend::Uring",
    "Backend::Poll",
    r#""uring""#,
    r#""poll""#,
    "WAKERING_BACKEND",
    "io_uring",
    "epoll",
];

/// Folders of one machine. Split, so that this file does not complain about itself.
const PLACES: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tm", "p/")];

/// Where packages come from is the business of whoever builds.
const REGISTRIES: &[&str] =
    &[concat!("crates", ".io"), concat!("py", "pi.org"), concat!("static.rust", "-lang.org")];

/// What stands for work that was put off.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
];

/// Everything that is wrong with the file at `path`, which begins at the root of the repository.
pub(super) fn complaints(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let mut complain = |what: String| complaints.push(format!("{path}:{}: {what}", at + 1));
        for place in PLACES.iter().filter(|place| line.contains(*place)) {
            complain(format!("{place} is a place on one machine"));
        }
        // What cargo writes there is not ours to choose.
        for host in
            REGISTRIES.iter().filter(|host| line.contains(*host) && !path.ends_with("Cargo.lock"))
        {
            complain(format!("{host} is the host of a registry"));
        }
        if path.ends_with(".rs") {
            for word in UNFINISHED.iter().filter(|word| line.contains(*word)) {
                complain(format!("{word} is work that was put off"));
            }
            let kernel_free = KERNEL_FREE.iter().any(|folder| path.starts_with(folder));
            for name in KERNEL_CRATES.iter().filter(|name| kernel_free && names(line, name)) {
                complain(format!("{name} is known to ring-driver only"));
            }
            let is_program = PROGRAMS.iter().any(|folder| path.starts_with(folder));
            let backend_free = kernel_free || is_program && path != RIVALS;
            for word in BACKENDS.iter().filter(|word| backend_free && code(line).contains(*word)) {
                complain(format!("{word} tells backends apart, which ring-driver alone does"));
            }
        }
    }
    if path.ends_with(".rs") && !text.starts_with("//!") {
        complaints.push(format!("{path}:1: open the file with `//!` and say why it exists"));
    }
    if let Some((_, level)) = ROOTS.iter().find(|(root, _)| *root == path) {
        let attribute = format!("#![{level}(unsafe_code)]");
        if !text.lines().any(|line| line == attribute) {
            complaints.push(format!("{path}:1: {attribute} is missing"));
        }
    }
    if path.ends_with("src/lib.rs") {
        complaints.extend(untold_modules(path, text));
    }
    complaints
}

/// What stands in front of a line's comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

/// Whether a line of code, not a comment, reaches into the crate `name`.
fn names(line: &str, name: &str) -> bool {
    let code = code(line);
    let path = format!("{name}::");
    let reaches = |at: usize| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    };
    let imports = [format!("use {name};"), format!("use {name} "), format!("extern crate {name}")];
    code.match_indices(&path).any(|(at, _)| reaches(at))
        || imports.iter().any(|import| code.contains(import.as_str()))
}

/// The modules of a crate that are not introduced by a sentence.
fn untold_modules(path: &str, text: &str) -> Vec<String> {
    let mut told = false;
    let mut untold = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let item = line.strip_prefix("pub ").or(line.strip_prefix("pub(crate) ")).unwrap_or(line);
        if let Some(sentence) = line.strip_prefix("///") {
            told = sentence.trim_end().ends_with('.');
        } else if let Some(name) = item.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'))
        {
            if !told {
                let what = format!("introduce `mod {name}` with a `///` sentence");
                untold.push(format!("{path}:{}: {what}", at + 1));
            }
            told = false;
        } else if !line.starts_with("#[") {
            told = false;
        }
    }
    untold
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENING: &str = "//! Says why it exists.\n";

    fn of(path: &str, line: &str) -> Vec<String> {
        complaints(path, &format!("{OPENING}{line}\n"))
    }

    #[test]
    fn every_source_says_why_it_exists() {
        assert_eq!(complaints("net/src/tcp.rs", "use std::io;\n").len(), 1);
        assert!(complaints("net/src/tcp.rs", OPENING).is_empty());
        assert!(complaints("net/README.md", "# Net\n").is_empty());
    }

    #[test]
    fn places_and_registries_are_not_named() {
        for place in PLACES {
            assert_eq!(of("README.md", &format!("see {place}file"))[0].matches(place).count(), 1);
        }
        for host in REGISTRIES {
            assert_eq!(of("net/Cargo.toml", &format!("https://{host}/x")).len(), 1);
            assert!(of("fuzz/Cargo.lock", &format!("https://{host}/x")).is_empty());
        }
    }

    #[test]
    fn only_the_driver_reaches_into_the_kernels_crates() {
        assert_eq!(of("runtime/src/task.rs", "    libc::getpid();").len(), 1);
        assert_eq!(of("net/src/tcp.rs", "use io_uring::opcode;").len(), 1);
        assert_eq!(of("fs/src/file.rs", "use libc;").len(), 1);
        assert!(of("net/src/tcp.rs", "// as libc::recv does").is_empty());
        assert!(of("net/src/tcp.rs", "let s = my_libc::getpid();").is_empty());
        assert!(of("ring-driver/src/call.rs", "    libc::getpid();").is_empty());
        assert!(of("ring-driver/src/lib.rs", "    libc::getpid();").len() == 1, "the deny");
    }

    #[test]
    fn nothing_above_the_driver_tells_backends_apart() {
        for word in BACKENDS {
            let line = format!("    if it == {word} {{}}");
            for folder in KERNEL_FREE.iter().chain(PROGRAMS) {
                assert_eq!(of(&format!("{folder}file.rs"), &line).len(), 1, "{folder}, {word}");
            }
            assert!(of("ring-driver/src/doctor.rs", &line).is_empty());
            assert!(of("tests/limits.rs", &line).is_empty());
            assert!(of("net/src/tcp.rs", &format!("    /// {word}")).is_empty());
        }
        assert!(of("runtime/src/builder.rs", "use wakering_ring_driver::Backend;").is_empty());
    }

    #[test]
    fn nothing_is_put_off() {
        for word in UNFINISHED {
            assert_eq!(of("net/src/tcp.rs", &format!("    {word}")).len(), 1, "{word}");
        }
    }

    #[test]
    fn roots_say_what_they_think_of_unsafe_code() {
        assert!(of("net/src/lib.rs", "#![forbid(unsafe_code)]").is_empty());
        assert_eq!(of("net/src/lib.rs", "#![deny(unsafe_code)]").len(), 1);
        assert!(of("runtime/src/lib.rs", "#![deny(unsafe_code)]").is_empty());
    }

    #[test]
    fn modules_are_introduced_by_a_sentence() {
        let of = |text: &str| untold_modules("net/src/lib.rs", text);
        assert!(of("/// Streams.\npub mod tcp;\n").is_empty());
        assert!(of("/// Streams.\n#[cfg(feature = \"x\")]\nmod tcp;\n").is_empty());
        assert_eq!(
            of("pub mod tcp;\n"),
            ["net/src/lib.rs:1: introduce `mod tcp` with a `///` sentence"]
        );
        assert_eq!(of("/// Streams.\nmod tcp;\nmod udp;\n").len(), 1);
        assert_eq!(of("/// no sentence\nmod tcp;\n").len(), 1);
        assert!(of("mod tests {\n}\n").is_empty());
    }
}
