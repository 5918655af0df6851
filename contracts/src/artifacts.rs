//! The compiled contracts, as committed under `artifacts/`. A test holds them to the sources.

use std::sync::LazyLock;

use alloy_primitives::hex;
use alloy_sol_types::SolValue;
use narrows_bisection::{Account, Parameters};
use narrows_commitment::{Digest, keccak};
use serde::Deserialize;

use crate::bindings::abi::IGame;
use crate::bindings::address;

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

/// What the compiler leaves for a value that the constructor fixes: PUSH32 and 32 zeros.
const PLACEHOLDER: [u8; 33] = {
    let mut bytes = [0; 33];
    bytes[0] = 0x7f;
    bytes
};

impl Artifact {
    /// Whether `code`, found on a chain, is this contract's, whatever its constructor fixed.
    #[must_use]
    pub fn is_deployed_as(&self, code: &[u8]) -> bool {
        let (mut ours, mut theirs) = (&self.deployed[..], code);
        if ours.len() != theirs.len() {
            return false;
        }
        while let Some(first) = ours.first() {
            if theirs.first() != Some(first) {
                return false;
            }
            let skip = if ours.starts_with(&PLACEHOLDER) { PLACEHOLDER.len() } else { 1 };
            (ours, theirs) = (&ours[skip..], &theirs[skip..]);
        }
        true
    }
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
    let arguments = (address(registry), address(referee), IGame::Parameters::from(*parameters));
    [GAME.creation.clone(), arguments.abi_encode_params()].concat()
}

/// Names the contracts of this build: the hash of all creation code.
#[must_use]
pub fn contracts_hash() -> Digest {
    keccak(&[&REGISTRY.creation[..], &REFEREE.creation, &GAME.creation].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_constructor_fixes_may_differ() {
        let deployed = [&[1, 0x7f][..], &[0; 32], &[2, 0, 0], &[0x7f], &[0; 31], &[3]].concat();
        let artifact = Artifact { creation: vec![], deployed: deployed.clone() };
        assert!(artifact.is_deployed_as(&deployed));
        for at in 0..deployed.len() {
            let mut code = deployed.clone();
            code[at] ^= 0x55;
            assert_eq!(artifact.is_deployed_as(&code), (2..34).contains(&at), "byte {at}");
        }
        assert!(!artifact.is_deployed_as(&deployed[1..]) && !artifact.is_deployed_as(&[]));
        assert!(!artifact.is_deployed_as(&[&deployed[..], &[0]].concat()));
    }
}
