//! What is fixed when an embedded chain is created.

use narrows_bisection::{Account, Parameters};
use narrows_commitment::Digest;
use serde::{Deserialize, Serialize};

use super::StorageError;

/// Stored with the chain, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub chain_id: u64,
    pub parameters: Parameters,
    pub registry: Account,
    pub referee: Account,
    pub game: Account,
    /// Hash of the creation codes that were deployed.
    pub contracts: Digest,
}

impl Config {
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a configuration holds numbers and texts only")
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, StorageError> {
        let config: Self =
            serde_json::from_slice(bytes).map_err(|_| StorageError::Corrupt("configuration"))?;
        config.parameters.check().map_err(|_| StorageError::Corrupt("configuration"))?;
        Ok(config)
    }
}
