//! The compiled contracts, as committed under `artifacts/`. A test holds them to the sources.

use std::sync::LazyLock;

use alloy_primitives::{Address, hex};
use alloy_sol_types::SolValue;
use narrows_bisection::{Account, Parameters};
use narrows_commitment::{Digest, keccak};
use serde::Deserialize;

use crate::bindings::abi::IGame;

/// The largest code that a chain deploys (EIP-170).
pub const MAX_CODE_BYTES: usize = 24_576;

/// A compiled contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// What a deployment sends, before the constructor's arguments.
    pub creation: Vec<u8>,
    /// What then lies on the chain, with zeros for what the constructor fixes.
    pub deployed: Vec<u8>,
}

/// The parts of an artifact file that are read here; its `abi` is for other tools.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    bytecode: String,
    deployed_bytecode: String,
}

fn read(json: &str) -> Artifact {
    let file: File = serde_json::from_str(json).expect("a committed artifact is JSON");
    let bytes = |text: &str| hex::decode(text).expect("a committed artifact is linked code");
    Artifact { creation: bytes(&file.bytecode), deployed: bytes(&file.deployed_bytecode) }
}

/// Programs.
pub static REGISTRY: LazyLock<Artifact> = LazyLock::new(|| read(include_str!("../artifacts/Registry.json")));

/// Recomputes elements.
pub static REFEREE: LazyLock<Artifact> = LazyLock::new(|| read(include_str!("../artifacts/Referee.json")));

/// Jobs, claims, matches and money.
pub static GAME: LazyLock<Artifact> = LazyLock::new(|| read(include_str!("../artifacts/Game.json")));

/// What deploys a game over a registry and a referee.
#[must_use]
pub fn game_creation(registry: Account, referee: Account, parameters: &Parameters) -> Vec<u8> {
    let parameters = IGame::Parameters {
        windowSeconds: parameters.window_seconds,
        executorClockSeconds: parameters.executor_clock_seconds,
        challengerClockSeconds: parameters.challenger_clock_seconds,
        graceSeconds: parameters.grace_seconds,
        slackSeconds: parameters.slack_seconds,
        executorBond: parameters.executor_bond.0,
        challengerBond: parameters.challenger_bond.0,
    };
    let arguments = (Address::new(registry.0), Address::new(referee.0), parameters);
    [GAME.creation.clone(), arguments.abi_encode_params()].concat()
}

/// Names the contracts of this build: the hash of all creation code.
#[must_use]
pub fn contracts_hash() -> Digest {
    keccak(&[&REGISTRY.creation[..], &REFEREE.creation, &GAME.creation].concat())
}
