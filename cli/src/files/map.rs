//! Programs that stay in their files: mapped into memory, so that nothing waits for a copy of their weights.
//!
//! For commands that answer once and end. A node runs for weeks and answers with its bond: it reads its programs into
//! memory ([`super::program`]), where nobody else can change them.
#![allow(unsafe_code, reason = "mapping a file is unsafe; it is done here alone")]

use std::fs::File;
use std::ops::{Deref, Range};
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};
use memmap2::Mmap;
use narrows_program::{Bytes, Owner, Program};

/// A program whose weights lie in its mapped file.
#[derive(Debug)]
pub struct Mapped {
    program: Program,
    file: File,
    /// Length and time of the last change, before the first byte was read.
    stamp: (u64, Option<SystemTime>),
    name: String,
}

impl Mapped {
    /// Maps and checks a program file: legality and all digests, from every byte.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file = super::open(path)?;
        let stamp = stamp(&file).with_context(|| format!("{name}: cannot be read"))?;
        // SAFETY: nothing in this process writes the file, and `files::write` replaces files instead of changing them.
        // Another process may change it all the same: weights then differ from those that were hashed, and reading
        // what it cut off ends this process. No memory of ours depends on what the weights are, and `unchanged` is
        // asked before anything that was computed from them is given out.
        let map = unsafe { Mmap::map(&file) }.with_context(|| format!("{name}: cannot be mapped"))?;
        let program = Program::open(&Bytes::new(Map(map))).with_context(|| name.clone())?;
        Ok(Self { program, file, stamp, name })
    }

    /// That nobody has changed the file since it was opened, so that what was computed from it is the program's.
    pub fn unchanged(&self) -> Result<()> {
        let now = stamp(&self.file).with_context(|| format!("{}: cannot be read", self.name))?;
        ensure!(
            now == self.stamp,
            "{}: was changed while it was in use, so nothing is given out; leave the file as it is and run again",
            self.name
        );
        Ok(())
    }
}

impl Deref for Mapped {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

/// A file's bytes, in memory as long as they are wanted.
struct Map(Mmap);

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Owner for Map {
    /// Gives back the pages of the range; they come from the file again when they are read again.
    fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        {
            // SAFETY: the map mirrors a file and is never written, so that dropping its pages loses nothing.
            let advice = unsafe {
                self.0.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len())
            };
            // Only a hint.
            let _ = advice;
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

fn stamp(file: &File) -> std::io::Result<(u64, Option<SystemTime>)> {
    let data = file.metadata()?;
    Ok((data.len(), data.modified().ok()))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, FileTimes, OpenOptions};
    use std::io::{Seek as _, SeekFrom, Write as _};
    use std::time::Duration;

    use super::*;

    const DIGITS: &[u8] = include_bytes!("../../../fixtures/digits/digits.narrows");

    fn digits(folder: &tempfile::TempDir) -> std::path::PathBuf {
        let path = folder.path().join("digits.narrows");
        fs::write(&path, DIGITS).expect("a file");
        path
    }

    #[test]
    fn a_mapped_program_is_the_one_that_was_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let mapped = Mapped::open(&digits(&folder)).expect("a program");
        assert_eq!(*mapped, Program::decode(DIGITS).expect("a program"));
        assert!(mapped.unchanged().is_ok());
    }

    #[test]
    fn attack_36_an_altered_file_is_refused_or_has_another_root() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = digits(&folder);
        let root = Mapped::open(&path).expect("a program").root();
        for at in (0..DIGITS.len()).step_by(97) {
            let mut bent = DIGITS.to_vec();
            bent[at] ^= 1;
            fs::write(&path, &bent).expect("a file");
            if let Ok(other) = Mapped::open(&path) {
                assert_ne!(other.root(), root, "byte {at}");
            }
        }
        for length in [0, 3, 68, DIGITS.len() - 1] {
            fs::write(&path, &DIGITS[..length]).expect("a file");
            let error = format!("{:#}", Mapped::open(&path).expect_err("cut off"));
            assert!(error.contains("digits.narrows"), "{error}");
        }
        assert!(Mapped::open(folder.path()).is_err());
    }

    #[test]
    fn a_file_that_is_changed_while_it_is_in_use_gives_no_answer() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = digits(&folder);
        let mapped = Mapped::open(&path).expect("a program");
        let mut file = OpenOptions::new().write(true).open(&path).expect("the file");
        file.seek(SeekFrom::Start(DIGITS.len() as u64 / 2)).expect("a place");
        file.write_all(&[0x5A]).expect("a byte");
        // A coarse clock may not have moved on since the file was made.
        let later = SystemTime::now() + Duration::from_secs(2);
        file.set_times(FileTimes::new().set_modified(later)).expect("a time");
        let error = mapped.unchanged().expect_err("changed").to_string();
        assert!(error.contains("was changed while it was in use"), "{error}");
    }

    #[test]
    fn a_file_that_is_replaced_stays_what_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = digits(&folder);
        let mapped = Mapped::open(&path).expect("a program");
        crate::files::write(&path, b"another file").expect("a file");
        assert!(mapped.unchanged().is_ok());
        assert_eq!(*mapped, Program::decode(DIGITS).expect("a program"));
    }
}
