//! Deployments, keys and connections.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use narrows_bisection::{Ledger, Wei};
use narrows_contracts::rpc::{Deployment, Key};
use narrows_contracts::{Chain as _, RpcChain, RpcConfig};

use crate::{files, money};

/// How a chain is reached.
#[derive(Debug, Clone, Args)]
pub struct RpcArgs {
    /// The node's URL. It may hold credentials; it is never shown.
    #[arg(long, value_name = "URL")]
    pub rpc: String,
    /// Blocks on top of a block before it counts; 0 only where blocks are never undone.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub confirmations: u64,
    /// The pause between two looks at the chain, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub poll_ms: u64,
}

impl RpcArgs {
    /// What the chain is configured with, without keys.
    pub fn config(&self) -> RpcConfig {
        RpcConfig {
            confirmations: self.confirmations,
            poll: Duration::from_millis(self.poll_ms),
            ..RpcConfig::new(&self.rpc)
        }
    }
}

/// Whose key signs: one of both.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct KeyArgs {
    /// A file that holds the account's key: 64 hexadecimal digits, readable for its owner alone.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// An environment variable that holds the account's key.
    #[arg(long, value_name = "VARIABLE")]
    pub key_env: Option<String>,
}

/// What a transaction may cost, and how long it may be.
#[derive(Debug, Clone, Args)]
pub struct FeeArgs {
    /// The most that is paid for a unit of gas, as 100gwei.
    #[arg(long, value_name = "AMOUNT", value_parser = money::amount)]
    pub fee_cap: Option<Wei>,
    /// What a block's maker gets for a unit of gas, as 1gwei.
    #[arg(long, value_name = "AMOUNT", value_parser = money::amount)]
    pub priority_fee: Option<Wei>,
    /// The longest transaction that the chain's nodes take; 131072 unless they say otherwise.
    #[arg(long, value_name = "BYTES")]
    pub max_transaction_bytes: Option<usize>,
}

impl FeeArgs {
    /// Puts what was given into a configuration.
    pub fn apply(&self, config: &mut RpcConfig) {
        config.fee_cap = self.fee_cap.unwrap_or(config.fee_cap);
        config.priority_fee = self.priority_fee.unwrap_or(config.priority_fee);
        config.max_transaction_bytes = self.max_transaction_bytes.unwrap_or(config.max_transaction_bytes);
    }
}

/// Reads the one key that is named.
pub fn key(file: Option<&Path>, variable: Option<&str>) -> Result<Key> {
    match (file, variable) {
        (Some(path), None) => Ok(Key::from_file(path)?),
        (None, Some(name)) => Ok(Key::from_env(name)?),
        (None, None) => anyhow::bail!("no key is named; give --key-file FILE or --key-env VARIABLE"),
        (Some(_), Some(_)) => anyhow::bail!("two keys are named; give one of key file and key variable"),
    }
}

/// Reads where the contracts stand.
pub fn deployment(path: &Path) -> Result<Deployment> {
    let name = path.display();
    let bytes = files::read(path)?;
    let text = std::str::from_utf8(&bytes).with_context(|| format!("{name}: is no text"))?;
    toml::from_str(text).with_context(|| format!("{name}: is no deployment; `narrows deploy -o` writes one"))
}

/// A deployment as a file.
pub fn deployment_text(deployment: &Deployment) -> String {
    let Deployment { chain_id, from_block, registry, referee, game } = deployment;
    format!(
        "# The Narrows contracts on a chain, as `narrows deploy` put them there.\n\
         chain_id = {chain_id}\nfrom_block = {from_block}\n\
         registry = \"{registry}\"\nreferee = \"{referee}\"\ngame = \"{game}\"\n"
    )
}

/// Connects to the contracts of a deployment, and checks that they are these.
pub fn connect(mut config: RpcConfig, path: &Path) -> Result<RpcChain> {
    let deployment = deployment(path)?;
    config.chain_id = Some(deployment.chain_id);
    let chain = RpcChain::connect(config, deployment.game, deployment.from_block)?;
    ensure!(
        chain.registry() == deployment.registry && chain.referee() == deployment.referee,
        "{}: names other contracts than the game at {} uses; write the file anew from the deployment",
        path.display(),
        deployment.game
    );
    Ok(chain)
}

/// Everything that was announced so far.
pub fn ledger(chain: &RpcChain) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    let mut cursor = 0;
    loop {
        let events = chain.events_from(cursor)?;
        if events.is_empty() {
            return Ok(ledger);
        }
        cursor += events.len() as u64;
        events.iter().for_each(|logged| ledger.observe(logged.time, &logged.event));
    }
}

#[cfg(test)]
mod tests {
    use narrows_bisection::Account;

    use super::*;

    #[test]
    fn a_deployment_survives_its_file() {
        let account = |byte| Account([byte; 20]);
        let deployment = Deployment {
            chain_id: 31337,
            from_block: 7,
            registry: account(1),
            referee: account(0xab),
            game: account(0xff),
        };
        let text = deployment_text(&deployment);
        assert_eq!(toml::from_str::<Deployment>(&text).expect("reads"), deployment);
        for bent in [text.replace("game", "gane"), text.replace("0x", ""), text.replace("chain_id", "# ")] {
            assert!(toml::from_str::<Deployment>(&bent).is_err(), "{bent}");
        }
    }
}
