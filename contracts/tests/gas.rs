//! Gas is counted as on a public chain, and the same each time.

mod common;

use common::{EXECUTOR, FEE, REQUESTER, STRANGER, World};
use narrows_bisection::{BlockTime, Call, Wei};
use narrows_commitment::{Digest, ProgramRoot};
use narrows_contracts::{Chain as _, ChainError, Receipt};

/// Of a transaction, and of each byte (EIP-2028, EIP-7623).
const BASE: u64 = 21_000;

fn bytes(data: &[u8]) -> (u64, u64) {
    let zeros = data.iter().filter(|byte| **byte == 0).count() as u64;
    (zeros, data.len() as u64 - zeros)
}

/// A registered program with `elements` bytes of input.
fn wide(world: &mut World, elements: u32) -> ProgramRoot {
    let mut header = world.program.header_bytes().to_vec();
    header[16..20].copy_from_slice(&elements.to_be_bytes());
    let layers_root = world.program.layers_root();
    let receipt = world.send(STRANGER, Wei(0), Call::Register { header, layers_root });
    match common::only(&receipt) {
        narrows_bisection::Event::Registered { program } => *program,
        other => panic!("{other:?}"),
    }
}

fn job(program: ProgramRoot, input: Vec<u8>) -> Call {
    Call::PostJob { program, input, salt: Digest([1; 32]), deadline: BlockTime(u64::MAX) }
}

#[test]
fn calldata_has_its_floor() {
    let mut world = World::new();
    let program = wide(&mut world, 200_000);
    let call = job(program, vec![1; 200_000]);
    let (zeros, others) = bytes(&narrows_contracts::bindings::encode(&call).1);
    let receipt = world.send(REQUESTER, FEE, call);
    assert_eq!(receipt.calldata_bytes as u64, zeros + others);
    assert_eq!(receipt.gas_used, BASE + 10 * zeros + 40 * others, "bytes that are not zero cost the floor");
}

#[test]
fn a_transaction_has_a_limit_inside_too() {
    let mut world = World::new();
    // As calldata, a million zeros are below the limit; to hash and announce them is not.
    let program = wide(&mut world, 1 << 20);
    let error = world.try_send(REQUESTER, FEE, job(program, vec![0; 1 << 20])).expect_err("too big");
    assert_eq!(error, ChainError::OutOfGas { call: "postJob", limit: 16_777_216 });
}

#[test]
fn attack_35_what_is_said_to_fit_fits_whatever_its_bytes_are() {
    let mut world = World::new();
    let most = world.chain.max_transaction_bytes();
    // 164 bytes of calldata besides the input, and 192 around it.
    let fits = (most - 192 - 164) / 32 * 32;
    assert_eq!(fits, 418_528, "as README says");
    for (bytes, good) in [(fits, true), (fits + 1, false)] {
        let program = wide(&mut world, bytes as u32);
        let call = job(program, vec![0xff; bytes]);
        assert_eq!(world.chain.check_size(&call).is_ok(), good, "{bytes}");
        if good {
            let receipt = world.send(REQUESTER, FEE, call);
            println!("{bytes} bytes: {} gas", receipt.gas_used);
        }
    }
    // A little further on it is the gas that is missing.
    let program = wide(&mut world, 419_500);
    let error = world.try_send(REQUESTER, FEE, job(program, vec![0xff; 419_500])).expect_err("too big");
    assert_eq!(error, ChainError::OutOfGas { call: "postJob", limit: 16_777_216 });
}

/// A job, a commitment, a claim, its end, a withdrawal.
fn story() -> Vec<Receipt> {
    let mut world = World::new();
    let mut receipts = vec![world.send(REQUESTER, FEE, world.post_job(1))];
    let job = world.job_id(1);
    let (stake, commitment) = world.commit_claim(job);
    let committed = world.send(EXECUTOR, stake, commitment);
    world.advance(1);
    let claim = world.post_claim(job, committed.time);
    receipts.extend([committed, world.send(EXECUTOR, Wei(0), claim)]);
    world.advance(1_000_000);
    let posted = world.posted(job);
    receipts.push(world.send(STRANGER, Wei(0), Call::Finalise { posted }));
    receipts.push(world.send(EXECUTOR, Wei(0), Call::Withdraw));
    receipts
}

#[test]
fn the_same_calls_use_the_same_gas() {
    let receipts = story();
    assert_eq!(receipts, story());
    for (index, receipt) in receipts.iter().enumerate() {
        assert!((BASE..500_000).contains(&receipt.gas_used), "{index}: {}", receipt.gas_used);
        assert_eq!(receipt.block, index as u64 + 2);
    }
}
