//! The embedded chain's state in sled: one tree, and one batch a transaction.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use revm::DatabaseRef;
use revm::bytecode::Bytecode;
use revm::database_interface::DBErrorMarker;
use revm::primitives::{Address, B256, Bytes, KECCAK_EMPTY, StorageKey, StorageValue, keccak256};
use revm::state::{AccountInfo, EvmState};
use sled::{Batch, Db};

use super::config::Config;
use super::records::{Head, LogRecord, decode_account, decode_word, encode_account};

/// Memory that sled may keep pages in.
const CACHE_BYTES: u64 = 64 << 20;

/// A database is held for a moment after it is dropped: sled's threads let go one by one.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

const HEAD: &[u8] = b"h";
const CONFIG: &[u8] = b"g";
const ACCOUNT: u8 = b'a';
const CODE: u8 = b'c';
const SLOT: u8 = b's';
const LOG: u8 = b'l';

/// Why the embedded chain's state cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The database failed.
    #[error("the chain's database failed: {0}; check the disk, its free space and its permissions")]
    Engine(#[from] sled::Error),
    /// The database's own file is damaged so that it cannot be opened.
    #[error("the chain's database at {0} is damaged; restore a copy, or create a chain elsewhere")]
    Damaged(PathBuf),
    /// A record is not what was written.
    #[error("the chain's database holds a damaged {0}; restore a copy, or create a chain elsewhere")]
    Corrupt(&'static str),
    /// Another process, or another part of this one, has it open.
    #[error("the chain at {0} is open elsewhere; stop the process that holds it")]
    Locked(PathBuf),
    /// There is no chain.
    #[error("there is no chain at {0}; create one there, or give the path of one")]
    Missing(PathBuf),
    /// There is a chain already.
    #[error("there is a chain at {0} already; open it, or create one elsewhere")]
    Exists(PathBuf),
    /// The chain runs other contracts.
    #[error(
        "the chain was made with other contracts; open it with the build that made it, or create a new one"
    )]
    OtherContracts,
}

impl DBErrorMarker for StorageError {}

/// All state of one chain.
pub(super) struct Store {
    db: Db,
    /// Whether writes wait for the disk.
    durable: bool,
    /// Codes that were read, analysed once.
    codes: Mutex<HashMap<B256, Bytecode>>,
}

/// What one step changes; written as a whole or not at all.
#[derive(Default)]
pub(super) struct Change(Batch);

impl Change {
    pub fn head(&mut self, head: &Head) {
        self.0.insert(HEAD, head.encode());
    }

    pub fn config(&mut self, config: &Config) {
        self.0.insert(CONFIG, config.encode());
    }

    pub fn log(&mut self, index: u64, record: &LogRecord) {
        self.0.insert(log_key(index), record.encode());
    }

    pub fn account(&mut self, address: Address, info: &AccountInfo) {
        if info.is_empty() {
            self.0.remove(account_key(address));
        } else {
            self.0.insert(account_key(address), encode_account(info));
        }
    }

    fn slot(&mut self, address: Address, slot: StorageKey, value: StorageValue) {
        if value.is_zero() {
            self.0.remove(slot_key(address, slot));
        } else {
            self.0.insert(slot_key(address, slot), value.to_be_bytes::<32>().to_vec());
        }
    }

    /// Everything that an execution touched.
    pub fn state(&mut self, state: &EvmState) {
        for (address, account) in state.iter().filter(|(_, account)| account.is_touched()) {
            assert!(!account.is_selfdestructed(), "no contract of ours destroys itself");
            self.account(*address, &account.info);
            if let Some(code) = account.info.code.as_ref().filter(|_| account.is_created()) {
                self.0.insert(code_key(account.info.code_hash), code.original_byte_slice());
            }
            for (slot, value) in account.changed_storage_slots() {
                self.slot(*address, *slot, value.present_value());
            }
        }
    }
}

fn key(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![kind];
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

fn account_key(address: Address) -> Vec<u8> {
    key(ACCOUNT, &[address.as_slice()])
}

fn code_key(hash: B256) -> Vec<u8> {
    key(CODE, &[hash.as_slice()])
}

fn slot_key(address: Address, slot: StorageKey) -> Vec<u8> {
    key(SLOT, &[address.as_slice(), &slot.to_be_bytes::<32>()])
}

fn log_key(index: u64) -> Vec<u8> {
    key(LOG, &[&index.to_be_bytes()])
}

/// Whether another holds the database. sled has no kind for it.
fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

/// Flushing is ours to order.
fn configuration() -> sled::Config {
    sled::Config::new().cache_capacity(CACHE_BYTES).flush_every_ms(None)
}

impl Store {
    /// Opens the database at `path`, making it if there is none.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let mut tries = 0;
        let db = loop {
            // sled asserts some properties of its file where it should answer: those assertions end here.
            let opened = std::panic::catch_unwind(|| configuration().path(path).open());
            match opened.map_err(|_| StorageError::Damaged(path.to_owned()))? {
                Ok(db) => break db,
                Err(error) if !is_locked(&error) => return Err(error.into()),
                Err(_) if tries == LOCK_TRIES => return Err(StorageError::Locked(path.to_owned())),
                Err(_) => tries += 1,
            }
            std::thread::sleep(LOCK_PAUSE);
        };
        Ok(Self { db, durable: true, codes: Mutex::default() })
    }

    /// A database that goes when it is dropped.
    pub fn temporary() -> Result<Self, StorageError> {
        let db = configuration().temporary(true).open()?;
        Ok(Self { db, durable: false, codes: Mutex::default() })
    }

    /// Writes a change as a whole, and waits for the disk.
    pub fn apply(&self, change: Change) -> Result<(), StorageError> {
        self.db.apply_batch(change.0)?;
        if self.durable {
            self.db.flush()?;
        }
        Ok(())
    }

    pub fn head(&self) -> Result<Option<Head>, StorageError> {
        self.db.get(HEAD)?.map(|bytes| Head::decode(&bytes)).transpose()
    }

    pub fn config(&self) -> Result<Option<Config>, StorageError> {
        self.db.get(CONFIG)?.map(|bytes| Config::decode(&bytes)).transpose()
    }

    pub fn account(&self, address: Address) -> Result<AccountInfo, StorageError> {
        let stored = self.db.get(account_key(address))?;
        stored.map_or_else(|| Ok(AccountInfo::default()), |bytes| decode_account(&bytes))
    }

    pub fn log(&self, index: u64) -> Result<LogRecord, StorageError> {
        let stored = self.db.get(log_key(index))?.ok_or(StorageError::Corrupt("list of logs"))?;
        LogRecord::decode(&stored)
    }

    #[cfg(test)]
    pub fn raw(&self) -> &Db {
        &self.db
    }
}

impl DatabaseRef for Store {
    type Error = StorageError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StorageError> {
        let info = self.account(address)?;
        Ok((!info.is_empty()).then_some(info))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, StorageError> {
        if hash == KECCAK_EMPTY {
            return Ok(Bytecode::default());
        }
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = codes.get(&hash) {
            return Ok(code.clone());
        }
        let stored = self.db.get(code_key(hash))?.filter(|bytes| keccak256(bytes) == hash);
        let bytes = stored.ok_or(StorageError::Corrupt("contract code"))?;
        let code = Bytecode::new_raw_checked(Bytes::copy_from_slice(&bytes))
            .map_err(|_| StorageError::Corrupt("contract code"))?;
        codes.insert(hash, code.clone());
        Ok(code)
    }

    fn storage_ref(&self, address: Address, slot: StorageKey) -> Result<StorageValue, StorageError> {
        let stored = self.db.get(slot_key(address, slot))?;
        stored.map_or(Ok(StorageValue::ZERO), |bytes| decode_word(&bytes))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StorageError> {
        Ok(keccak256(number.to_be_bytes()))
    }
}
