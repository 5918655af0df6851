//! How the embedded chain's state is written: strict, and never trusted when read back.

use narrows_bisection::{BlockTime, Wei};
use revm::primitives::{Address, B256, Bytes, Log, LogData, U256};
use revm::state::AccountInfo;

use super::StorageError;

/// The layout's version, the first byte of the head.
const VERSION: u8 = 2;
/// Topics that a log may have; the EVM has no more.
const MAX_TOPICS: usize = 4;

/// Where the chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Number of the last block.
    pub block: u64,
    /// The chain's clock.
    pub time: BlockTime,
    /// Logs so far.
    pub logs: u64,
    /// What `block.basefee` answers in the next block; below 2^64.
    pub base_fee: Wei,
}

/// One log and where it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogRecord {
    pub block: u64,
    pub time: BlockTime,
    /// Who sent the transaction.
    pub sender: Address,
    pub log: Log,
}

/// Takes fixed-size pieces off the front of a record.
struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    const fn new(what: &'static str, rest: &'a [u8]) -> Self {
        Self { what, rest }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], StorageError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(StorageError::Corrupt(self.what))?;
        self.rest = rest;
        Ok(*head)
    }

    fn number(&mut self) -> Result<u64, StorageError> {
        self.take().map(u64::from_be_bytes)
    }

    fn end(self) -> Result<(), StorageError> {
        if self.rest.is_empty() { Ok(()) } else { Err(StorageError::Corrupt(self.what)) }
    }
}

impl Head {
    pub fn encode(&self) -> Vec<u8> {
        let numbers = [self.block, self.time.0, self.logs].map(u64::to_be_bytes).concat();
        [&[VERSION], &numbers[..], &self.base_fee.0.to_be_bytes()].concat()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, StorageError> {
        let mut reader = Reader::new("head", bytes);
        if reader.take()? != [VERSION] {
            return Err(StorageError::Corrupt("head"));
        }
        let head = Self {
            block: reader.number()?,
            time: BlockTime(reader.number()?),
            logs: reader.number()?,
            base_fee: Wei(u128::from_be_bytes(reader.take()?)),
        };
        reader.end()?;
        if u64::try_from(head.base_fee.0).is_err() {
            return Err(StorageError::Corrupt("head"));
        }
        Ok(head)
    }
}

pub(super) fn encode_account(info: &AccountInfo) -> Vec<u8> {
    [&info.balance.to_be_bytes::<32>()[..], &info.nonce.to_be_bytes(), &info.code_hash.0].concat()
}

pub(super) fn decode_account(bytes: &[u8]) -> Result<AccountInfo, StorageError> {
    let mut reader = Reader::new("account", bytes);
    let info = AccountInfo {
        balance: U256::from_be_bytes(reader.take::<32>()?),
        nonce: reader.number()?,
        code_hash: B256::new(reader.take()?),
        code: None,
        ..AccountInfo::default()
    };
    reader.end()?;
    Ok(info)
}

pub(super) fn decode_word(bytes: &[u8]) -> Result<U256, StorageError> {
    let mut reader = Reader::new("storage word", bytes);
    let word = U256::from_be_bytes(reader.take::<32>()?);
    reader.end()?;
    Ok(word)
}

impl LogRecord {
    pub fn encode(&self) -> Vec<u8> {
        let topics = self.log.data.topics();
        let mut out = [self.block, self.time.0].map(u64::to_be_bytes).concat();
        out.extend_from_slice(self.sender.as_slice());
        out.extend_from_slice(self.log.address.as_slice());
        out.push(topics.len() as u8);
        topics.iter().for_each(|topic| out.extend_from_slice(topic.as_slice()));
        out.extend_from_slice(&self.log.data.data);
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, StorageError> {
        let mut reader = Reader::new("log", bytes);
        let (block, time) = (reader.number()?, BlockTime(reader.number()?));
        let (sender, address) = (Address::new(reader.take()?), Address::new(reader.take()?));
        let [count] = reader.take()?;
        if usize::from(count) > MAX_TOPICS {
            return Err(StorageError::Corrupt("log"));
        }
        let topics: Vec<B256> = (0..count).map(|_| reader.take().map(B256::new)).collect::<Result<_, _>>()?;
        let data = LogData::new(topics, Bytes::copy_from_slice(reader.rest));
        let data = data.ok_or(StorageError::Corrupt("log"))?;
        Ok(Self { block, time, sender, log: Log { address, data } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_their_encoding_and_no_other_length_is_read() {
        let head = Head { block: 7, time: BlockTime(1 << 33), logs: 3, base_fee: Wei(u128::from(u64::MAX)) };
        assert_eq!(Head::decode(&head.encode()), Ok(head));
        let info = AccountInfo {
            balance: U256::MAX,
            nonce: 5,
            code_hash: B256::repeat_byte(3),
            code: None,
            ..AccountInfo::default()
        };
        assert_eq!(decode_account(&encode_account(&info)), Ok(info.clone()));
        let data = LogData::new_unchecked(vec![B256::repeat_byte(1); 4], Bytes::from_static(b"data"));
        let log = Log { address: Address::repeat_byte(9), data };
        let record = LogRecord { block: 1, time: BlockTime(2), sender: Address::repeat_byte(8), log };
        assert_eq!(LogRecord::decode(&record.encode()), Ok(record.clone()));

        let refuses = |bytes: &[u8], read: &dyn Fn(&[u8]) -> bool, lengths: std::ops::Range<usize>| {
            for end in lengths {
                assert!(!read(&bytes[..end]), "cut at {end}");
            }
        };
        let (head, info, log) = (head.encode(), encode_account(&info), record.encode());
        refuses(&head, &|bytes| Head::decode(bytes).is_ok(), 0..head.len());
        refuses(&info, &|bytes| decode_account(bytes).is_ok(), 0..info.len());
        refuses(&info, &|bytes| decode_word(bytes).is_ok(), 0..32);
        refuses(&info, &|bytes| decode_word(bytes).is_ok(), 33..info.len());
        // A log's data has no length of its own: only its fixed part can be cut visibly.
        refuses(&log, &|bytes| LogRecord::decode(bytes).is_ok(), 0..log.len() - 4);
        assert!(Head::decode(&[&head[..], &[0]].concat()).is_err());
        assert!(decode_account(&[&info[..], &[0]].concat()).is_err());
        // An older layout, and a base fee that no block holds.
        for at in [0, head.len() - 9] {
            let mut wrong = head.clone();
            wrong[at] = 1;
            assert_eq!(Head::decode(&wrong), Err(StorageError::Corrupt("head")));
        }
        let mut topics = log;
        topics[56] = 5;
        assert_eq!(LogRecord::decode(&topics), Err(StorageError::Corrupt("log")));
    }
}
