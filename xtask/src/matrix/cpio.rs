//! The archive format in which a kernel takes its first file system: `newc` of cpio.
//!
//! Written here, because no program that writes it is on every machine, and because the few folders
//! and links of a guest then need no tree of their own on the disk.

use std::fs;
use std::path::Path;

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;

/// An archive that grows.
#[derive(Default)]
pub(super) struct Cpio {
    bytes: Vec<u8>,
    entries: u32,
}

impl Cpio {
    pub(super) fn folder(&mut self, path: &str) {
        self.entry(path, FOLDER, &[]);
    }

    /// A file, which may be executed. Its folders have to come first.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, PROGRAM, content);
    }

    /// A copy of a file of this machine.
    pub(super) fn copy(&mut self, path: &str, from: &Path) -> Result<(), String> {
        let content = fs::read(from).map_err(|error| format!("cannot read {from:?}: {error}"))?;
        self.file(path, &content);
        Ok(())
    }

    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.entry(path, LINK, target.as_bytes());
    }

    /// The whole archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let name = path.trim_start_matches('/');
        let length = u32::try_from(content.len()).expect("files of a guest are below 4 GiB");
        let name_length = u32::try_from(name.len() + 1).expect("paths are short");
        // Number, mode, user, group, links, time, length, four numbers of devices, length of the
        // name, checksum.
        let fields = [self.entries, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_headers_names_and_contents_on_words() {
        let mut cpio = Cpio::default();
        cpio.folder("/bin");
        cpio.file("/bin/sh", b"abcde");
        cpio.link("/init", "/bin/sh");
        let bytes = cpio.finish();
        let text = String::from_utf8_lossy(&bytes);

        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(text.matches("070701").count(), 4);
        let at = text.find("bin/sh\0").unwrap();
        // Of 13 numbers of 8 digits, the mode is the second, the lengths are number 7 and 12.
        let header = &text[at - 110..at];
        assert_eq!((&header[14..22], &header[54..62]), ("000081ed", "00000005"));
        assert_eq!(&header[94..102], "00000007");
        let content = (at + 7).next_multiple_of(4);
        assert_eq!(&bytes[content..content + 8], b"abcde\0\0\0");
        assert!(text.contains("TRAILER!!!\0"));
    }
}
