//! What the disk may do to the state: cut it, bend it, kill the process between two writes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use narrows_bisection::{Account, BlockTime, Call, JobId, Parameters, Refusal, Wei};
use narrows_commitment::{Digest, LayersRoot, ProgramRoot};
use revm::DatabaseRef;
use revm::primitives::{Address, TxKind, U256};
use revm::state::{self, AccountInfo, EvmState, EvmStorageSlot, TransactionId};

use super::evm::Message;
use super::records::Head;
use super::store::{Change, Store};
use super::{EmbeddedChain, StorageError};
use crate::{Chain, ChainError, Transaction};

const SLOTS: u64 = 200;

/// A change after which everything says `number`.
fn change(number: u64) -> Change {
    let mut account = state::Account::from(AccountInfo { nonce: number, ..AccountInfo::default() });
    account.mark_touch();
    for slot in 0..SLOTS {
        let value = EvmStorageSlot::new_changed(U256::ZERO, U256::from(number), TransactionId::ZERO);
        account.storage.insert(U256::from(slot), value);
    }
    let mut change = Change::default();
    change.state(&EvmState::from_iter([(Address::repeat_byte(1), account)]));
    change.head(&Head { block: number, time: BlockTime(number), logs: 0, base_fee: Wei(1) });
    change
}

/// The number that everything says; asserts that nothing says another.
fn number(store: &Store) -> Result<u64, StorageError> {
    let number = store.head()?.map_or(0, |head| head.block);
    assert_eq!(store.account(Address::repeat_byte(1))?.nonce, number, "the account and the head");
    for slot in 0..SLOTS {
        let value = store.storage_ref(Address::repeat_byte(1), U256::from(slot))?;
        assert_eq!(value, U256::from(number), "slot {slot} and the head");
    }
    Ok(number)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// A database of `changes` changes as it lies on the disk at the end of each.
fn written(folder: &Path, changes: u64) {
    let path = folder.join("live");
    let store = Store::open(&path).expect("a store");
    for number in 1..=changes {
        store.apply(change(number)).expect("a write");
        copy(&path, &folder.join(number.to_string()));
    }
}

/// The bytes of a database's log, and how many of them are written.
fn log_of(folder: &Path) -> (Vec<u8>, usize) {
    let whole = fs::read(folder.join("db")).expect("the log");
    let used = whole.len() - whole.iter().rev().take_while(|byte| **byte == 0).count();
    (whole, used)
}

/// What stands in a copy of `from` whose log is `bytes`.
fn reopened(from: &Path, bytes: &[u8]) -> Result<u64, StorageError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("copy");
    copy(from, &path);
    fs::write(path.join("db"), bytes).expect("a log");
    Store::open(&path).and_then(|store| number(&store))
}

#[test]
fn a_batch_that_is_cut_leaves_the_state_before_or_after() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), 3);
    let ends: Vec<usize> = (1..=3).map(|end| log_of(&folder.path().join(end.to_string())).1).collect();
    let last = folder.path().join("3");
    let (whole, used) = log_of(&last);
    assert_eq!(reopened(&last, &whole), Ok(3), "what is flushed is there");
    let mut seen = BTreeSet::new();
    for step in 0..=60 {
        // The third batch, cut anywhere; and once in a while anywhere at all.
        let end = if step % 4 == 3 { used * step / 60 } else { ends[1] + (used - ends[1]) * step / 60 };
        let mut bytes = whole[..end].to_vec();
        // Half of the cuts shorten the file, half leave zeros, as a disk may.
        if step % 2 == 0 {
            bytes.resize(whole.len(), 0);
        }
        match reopened(&last, &bytes) {
            Ok(number) => drop(seen.insert(number)),
            // sled's own snapshot is ahead of so short a log.
            Err(error) => assert!(end < ends[1], "cut at {end} of {used}: {error}"),
        }
    }
    assert!(seen.contains(&2) && seen.contains(&3), "{seen:?}");
}

#[test]
fn bent_bytes_of_the_log_never_panic_and_never_mix_two_states() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), 2);
    let last = folder.path().join("2");
    let (whole, used) = log_of(&last);
    let read: Vec<_> = (0..80)
        .map(|step| {
            let mut bytes = whole.clone();
            bytes[used * step / 80] ^= 1 << (step % 8);
            reopened(&last, &bytes)
        })
        .collect();
    assert!(read.iter().any(|read| *read != Ok(2)), "some bends are seen");
}

/// Everything that a node may do on a chain; errors are fine, panics are not.
fn probe(path: &Path) -> Vec<ChainError> {
    let mut chain = match EmbeddedChain::open(path) {
        Ok(chain) => chain,
        Err(error) => return vec![error],
    };
    let account = Account([1; 20]);
    let job = Call::PostJob {
        program: ProgramRoot::default(),
        input: vec![1; 4],
        salt: Digest::default(),
        deadline: BlockTime(u64::MAX),
    };
    let mut errors = Vec::new();
    errors.extend(chain.events_from(0).err());
    errors.extend(chain.locked().err());
    errors.extend(chain.owed(account).err());
    errors.extend(chain.balance(account).err());
    errors.extend(chain.job(JobId::default()).err());
    errors.extend(chain.fund(account, Wei(1)).err());
    errors.extend(chain.advance(1).err());
    errors.extend(chain.send(register(account)).err());
    errors.extend(chain.send(Transaction { from: account, value: Wei(0), call: job }).err());
    errors
}

fn register(from: Account) -> Transaction {
    // Version 4, one layer, one operator, i8 in and out, b = 1, four elements, work 4.
    let mut header = vec![0; 64];
    for (at, value) in [(3, 4), (7, 1), (11, 1), (12, 1), (13, 1), (14, 1), (19, 4), (23, 4), (31, 4)] {
        header[at] = value;
    }
    Transaction { from, value: Wei(0), call: Call::Register { header, layers_root: LayersRoot::default() } }
}

#[test]
fn the_base_fee_is_the_operator_s_to_set_and_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut chain =
        EmbeddedChain::create(folder.path(), Parameters::default(), BlockTime(1)).expect("a chain");
    assert_eq!(chain.base_fee(), Wei(1_000_000_000));
    for fee in [0, 7, u128::from(u64::MAX)] {
        chain.set_base_fee(Wei(fee)).expect("set");
        // An account without money sends all the same, and the receipt names the fee.
        let receipt = chain.send(register(Account([9; 20]))).expect("registered");
        assert_eq!((receipt.base_fee, chain.balance(Account([9; 20]))), (Wei(fee), Ok(Wei(0))));
    }
    let above = Wei(1 << 64);
    assert_eq!(chain.set_base_fee(above), Err(ChainError::Overflow("the base fee")));
    drop(chain);
    let chain = EmbeddedChain::open(folder.path()).expect("the chain");
    assert_eq!(chain.base_fee(), Wei(u128::from(u64::MAX)));
}

#[test]
fn contracts_see_the_base_fee() {
    // BASEFEE, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN: a constructor that leaves the base fee as its code.
    const CODE: [u8; 7] = [0x48, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3];
    let mut chain = EmbeddedChain::temporary(Parameters::default()).expect("a chain");
    for fee in [0, 1, 50_000_000_000, u64::MAX] {
        chain.set_base_fee(Wei(u128::from(fee))).expect("set");
        let message =
            Message { name: "code", from: Account([9; 20]), to: TxKind::Create, value: Wei(0), data: &CODE };
        let result = chain.execute(&message).expect("executed").result;
        assert_eq!(U256::from_be_slice(result.output().expect("code")), U256::from(fee));
    }
}

#[test]
fn bent_records_never_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chain");
    let mut chain = EmbeddedChain::create(&path, Parameters::default(), BlockTime(1)).expect("a chain");
    chain.fund(Account([1; 20]), Wei(5)).expect("funded");
    chain.send(register(Account([1; 20]))).expect("registered");
    drop(chain);
    // The unknown program is the only complaint about a chain that is not bent.
    let refused = ChainError::Refused { call: "postJob", refusal: Refusal::UnknownProgram };
    let sound = folder.path().join("sound");
    copy(&path, &sound);
    assert_eq!(probe(&sound), std::slice::from_ref(&refused));

    let records: Vec<(Vec<u8>, Vec<u8>)> = {
        let store = Store::open(&path).expect("a store");
        store
            .raw()
            .iter()
            .map(|record| record.map(|(k, v)| (k.to_vec(), v.to_vec())))
            .collect::<Result<_, _>>()
            .expect("records")
    };
    assert!(records.len() > 10, "{} records", records.len());
    let mut noticed = BTreeSet::new();
    for (key, value) in &records {
        let mut flipped = value.clone();
        flipped[value.len() / 2] ^= 0x55;
        let bends = [
            vec![],
            value[..value.len() - 1].to_vec(),
            [&value[..], &[0]].concat(),
            vec![0xff; value.len()],
            flipped,
        ];
        for bent in bends {
            let copied = folder.path().join("bent");
            copy(&path, &copied);
            let store = Store::open(&copied).expect("a store");
            store.raw().insert(key.clone(), bent).expect("a bend");
            drop(store);
            if probe(&copied) != std::slice::from_ref(&refused) {
                noticed.insert(key[0]);
            }
            fs::remove_dir_all(&copied).expect("removed");
        }
    }
    assert_eq!(noticed, BTreeSet::from(*b"acghls"), "every kind of record is checked");
}

#[test]
fn a_chain_of_other_contracts_is_not_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(EmbeddedChain::create(folder.path(), Parameters::default(), BlockTime(1)).expect("a chain"));
    let store = Store::open(folder.path()).expect("a store");
    let mut config = store.config().expect("readable").expect("there");
    config.contracts = Digest::default();
    let mut change = Change::default();
    change.config(&config);
    store.apply(change).expect("written");
    drop(store);
    let error = EmbeddedChain::open(folder.path()).expect_err("other contracts");
    assert_eq!(error, ChainError::Storage(StorageError::OtherContracts));
}

#[test]
fn a_node_may_move_to_another_thread() {
    const fn sent<T: Send>() {}
    sent::<EmbeddedChain>();
}
