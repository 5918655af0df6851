//! A record's file: JSON, each part followed by the digest of everything up to it.

use narrows_commitment::{Digest, keccak};
use serde::{Deserialize, Serialize};

use super::{
    Entry, Head, MAX_BLOCK_TIME, MAX_RECORD_BYTES, MAX_RECORD_ENTRIES, Outcome, Part, RECORD_VERSION, Record,
    RecordError,
};

/// What the chain of digests begins with.
const SEED: &[u8] = b"narrows record 4";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<T> {
    value: T,
    digest: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<H, E, O> {
    version: u32,
    head: Sealed<H>,
    entries: Vec<Sealed<E>>,
    outcome: Sealed<O>,
}

/// Only the version, so that a file of another one is named as such.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// The digest of all parts so far: keccak(the digest before | the part as JSON without spaces).
struct Chain(Digest);

impl Chain {
    fn new() -> Self {
        Self(keccak(SEED))
    }

    fn next<T: Serialize>(&mut self, part: &T) -> Digest {
        let mut bytes = self.0.0.to_vec();
        serde_json::to_writer(&mut bytes, part).expect("records hold strings, integers and lists only");
        self.0 = keccak(&bytes);
        self.0
    }

    fn seal<'t, T: Serialize>(&mut self, value: &'t T) -> Sealed<&'t T> {
        Sealed { value, digest: self.next(value) }
    }

    fn open<T: Serialize>(&mut self, sealed: Sealed<T>, part: Part) -> Result<T, RecordError> {
        let matches = self.next(&sealed.value) == sealed.digest;
        if matches { Ok(sealed.value) } else { Err(RecordError::Altered(part)) }
    }
}

impl Record {
    /// The file's bytes: JSON, indented, with a line feed at the end. Equal records have equal bytes.
    ///
    /// # Errors
    /// When there is more of it than [`Record::decode`] reads.
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        count(self.entries.len())?;
        let mut chain = Chain::new();
        let head = chain.seal(&self.head);
        let entries = self.entries.iter().map(|entry| chain.seal(entry)).collect();
        let outcome = chain.seal(&self.outcome);
        let file = File { version: RECORD_VERSION, head, entries, outcome };
        let mut bytes =
            serde_json::to_vec_pretty(&file).expect("records hold strings, integers and lists only");
        bytes.push(b'\n');
        size(bytes.len())?;
        Ok(bytes)
    }

    /// Reads a file's bytes. Whatever was changed in them since [`Record::encode`], they are refused.
    ///
    /// # Errors
    /// When the bytes are not exactly a record's: see [`RecordError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        size(bytes.len())?;
        let form = |error: serde_json::Error| RecordError::Form(error.to_string());
        let Versioned { version } = serde_json::from_slice(bytes).map_err(form)?;
        if version != RECORD_VERSION {
            return Err(RecordError::Version(version));
        }
        let file: File<Head, Entry, Outcome> = serde_json::from_slice(bytes).map_err(form)?;
        count(file.entries.len())?;
        let mut chain = Chain::new();
        let head = chain.open(file.head, Part::Head)?;
        let entries = file.entries.into_iter().enumerate();
        let entries = entries.map(|(index, entry)| chain.open(entry, Part::Entry(index)));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let outcome = chain.open(file.outcome, Part::Outcome)?;
        let record = Self { head, entries, outcome };
        record.check_times()?;
        if record.encode()? != bytes {
            return Err(RecordError::Spelling);
        }
        Ok(record)
    }

    /// Refuses times that go back or are beyond [`MAX_BLOCK_TIME`].
    ///
    /// # Errors
    /// [`RecordError::Time`].
    pub fn check_times(&self) -> Result<(), RecordError> {
        let before = std::iter::once(None).chain(self.entries.iter().map(|entry| Some(entry.block.time)));
        let mut pairs = before.zip(self.entries.iter().map(|entry| entry.block.time));
        let wrong = pairs.position(|(before, time)| before > Some(time) || time > MAX_BLOCK_TIME);
        wrong.map_or(Ok(()), |index| Err(RecordError::Time(index)))
    }
}

fn size(bytes: usize) -> Result<(), RecordError> {
    if bytes > MAX_RECORD_BYTES { Err(RecordError::TooLarge(bytes)) } else { Ok(()) }
}

fn count(entries: usize) -> Result<(), RecordError> {
    if entries > MAX_RECORD_ENTRIES { Err(RecordError::TooMany(entries)) } else { Ok(()) }
}
