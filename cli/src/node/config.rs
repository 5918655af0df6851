//! A node's configuration: a TOML file, and flags that override it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use narrows_challenger::engine::Backend;
use narrows_commitment::{Digest, keccak};
use narrows_contracts::RpcConfig;
use narrows_contracts::rpc::Key;
use narrows_program::Program;
use serde::Deserialize;

use super::chain::{FeeArgs, key};
use crate::{files, money};

/// What a node is given: the same names in the file (with underscores) and as flags. In the file, paths count from its folder.
#[derive(Debug, Clone, Args)]
pub struct NodeArgs {
    /// The configuration file, in TOML; flags override what it says.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The chain's node.
    #[arg(long, value_name = "URL")]
    pub rpc: Option<String>,
    /// Where the contracts stand, as `narrows deploy` wrote it.
    #[arg(long, value_name = "FILE")]
    pub deployment: Option<PathBuf>,
    /// A file that holds the account's key.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// An environment variable that holds the account's key.
    #[arg(long, value_name = "VARIABLE", conflicts_with = "key_file")]
    pub key_env: Option<String>,
    /// A program that this node serves; may be given again.
    #[arg(long = "program", value_name = "FILE")]
    pub programs: Vec<PathBuf>,
    /// The folder of the node's journal. Keep it: a node resumes from it.
    #[arg(long, value_name = "FOLDER")]
    pub journal: Option<PathBuf>,
    /// Blocks on top of a block before it counts.
    #[arg(long, value_name = "N")]
    pub confirmations: Option<u64>,
    /// The pause between two looks at the chain, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub poll_ms: Option<u64>,
    #[command(flatten)]
    pub fees: FeeArgs,
    /// Where health (/healthz) and metrics (/metrics) are served, as 127.0.0.1:9100.
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<SocketAddr>,
}

/// The file.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    rpc: Option<String>,
    deployment: Option<PathBuf>,
    key_file: Option<PathBuf>,
    key_env: Option<String>,
    programs: Vec<PathBuf>,
    journal: Option<PathBuf>,
    confirmations: Option<u64>,
    poll_ms: Option<u64>,
    fee_cap: Option<String>,
    priority_fee: Option<String>,
    max_transaction_bytes: Option<usize>,
    metrics: Option<SocketAddr>,
    serve: Option<SocketAddr>,
    backend: Option<String>,
    traces: Vec<String>,
    trace_wait_ms: Option<u64>,
}

/// What only one kind of node has; flags, and what the file says where there is no flag.
#[derive(Debug, Clone, Default)]
pub struct Special {
    /// An executor: where it serves its claims' traces.
    pub serve: Option<SocketAddr>,
    /// A watchtower: the backend that it re-runs claims on.
    pub backend: Option<Backend>,
    /// A watchtower: who serves traces.
    pub traces: Vec<String>,
    /// A watchtower: how long it waits for one, in milliseconds.
    pub trace_wait_ms: Option<u64>,
}

/// A node's settings, complete.
pub struct Settings {
    /// The chain, its keys included.
    pub rpc: RpcConfig,
    /// The deployment's file.
    pub deployment: PathBuf,
    /// The account's key.
    pub key: Key,
    /// What it serves.
    pub programs: Vec<Arc<Program>>,
    /// Its journal's folder.
    pub journal: PathBuf,
    /// Health and metrics.
    pub metrics: Option<SocketAddr>,
    /// The rest.
    pub special: Special,
}

impl Settings {
    /// What hides this node's commitments: made of its key, so that there is nothing more to keep.
    pub fn secret(&self) -> Digest {
        keccak(&[b"narrows node secret".as_slice(), &self.key.signing().to_bytes()].concat())
    }
}

impl NodeArgs {
    /// Reads the file, lets the flags override it, and loads what both name.
    pub fn settle(&self, flags: Special) -> Result<Settings> {
        let (file, folder) = match &self.config {
            Some(path) => (read(path)?, path.parent().unwrap_or(Path::new("")).to_owned()),
            None => (File::default(), PathBuf::new()),
        };
        let at = |path: &PathBuf| folder.join(path);
        let missing =
            |what: &str, flag: &str| format!("no {what} is named; give {flag} or name it in --config FILE");
        let rpc = self.rpc.clone().or(file.rpc).with_context(|| missing("chain", "--rpc URL"))?;
        let deployment = self.deployment.clone().or(file.deployment.as_ref().map(at));
        let journal = self.journal.clone().or(file.journal.as_ref().map(at));
        // A key that a flag names replaces whatever the file names.
        let key = if self.key_file.is_some() || self.key_env.is_some() {
            key(self.key_file.as_deref(), self.key_env.as_deref())?
        } else {
            key(file.key_file.as_ref().map(at).as_deref(), file.key_env.as_deref())?
        };
        let paths = if self.programs.is_empty() {
            file.programs.iter().map(at).collect()
        } else {
            self.programs.clone()
        };
        ensure!(!paths.is_empty(), "{}", missing("program", "--program FILE"));
        let programs = paths.iter().map(|path| files::program(path).map(Arc::new)).collect::<Result<_>>()?;
        let mut config = RpcConfig::new(rpc);
        config.confirmations = self.confirmations.or(file.confirmations).unwrap_or(config.confirmations);
        if let Some(poll) = self.poll_ms.or(file.poll_ms) {
            config.poll = Duration::from_millis(poll.max(1));
        }
        let amount = |text: &Option<String>| {
            text.as_deref().map(money::amount).transpose().map_err(anyhow::Error::msg)
        };
        let fees = FeeArgs {
            fee_cap: amount(&file.fee_cap)?,
            priority_fee: amount(&file.priority_fee)?,
            max_transaction_bytes: file.max_transaction_bytes,
        };
        fees.apply(&mut config);
        self.fees.apply(&mut config);
        config.keys = vec![key.clone()];
        let backend = match (flags.backend, &file.backend) {
            (Some(backend), _) => Some(backend),
            (None, Some(name)) => Some(name.parse()?),
            (None, None) => None,
        };
        Ok(Settings {
            rpc: config,
            deployment: deployment.with_context(|| missing("deployment", "--deployment FILE"))?,
            key,
            programs,
            journal: journal.with_context(|| missing("journal", "--journal FOLDER"))?,
            metrics: self.metrics.or(file.metrics),
            special: Special {
                serve: flags.serve.or(file.serve),
                backend,
                traces: if flags.traces.is_empty() { file.traces } else { flags.traces },
                trace_wait_ms: flags.trace_wait_ms.or(file.trace_wait_ms),
            },
        })
    }
}

fn read(path: &Path) -> Result<File> {
    let name = path.display();
    let bytes = files::read(path)?;
    let text = std::str::from_utf8(&bytes).with_context(|| format!("{name}: is no text"))?;
    let parsed = toml::from_str(text);
    // The parser's words repeat the line; a URL in it may hold credentials.
    parsed.map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| {
            1 + text.as_bytes()[..span.start.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
        });
        anyhow::anyhow!(
            "{name}: line {line}: {}; see `narrows executor --help` for the names",
            error.message()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_the_file_is_named_by_its_line_and_no_secret_is_repeated() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("node.toml");
        let error = |text: &str| {
            std::fs::write(&path, text).expect("written");
            read(&path).err().map(|error| format!("{error:#}")).unwrap_or_default()
        };
        assert_eq!(
            error("rpc = \"http://127.0.0.1:8545\"\nprograms = [\"m\"]\nmetrics = \"127.0.0.1:9100\"\n"),
            ""
        );
        let text = error("confirmations = 2\nrpcs = \"https://user:secret@host\"\n");
        assert!(text.contains("node.toml") && text.contains("line 2") && !text.contains("secret"), "{text}");
        let text = error("poll_ms = \"soon\"\n");
        assert!(text.contains("line 1"), "{text}");
    }

    #[test]
    fn flags_override_the_file_and_paths_count_from_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/digits/digits.narrows");
        std::fs::copy(program, at("m.narrows")).expect("copied");
        std::fs::write(at("key"), "11".repeat(32)).expect("written");
        let text = "rpc = \"http://a\"\ndeployment = \"d.toml\"\nkey_file = \"key\"\nprograms = [\"m.narrows\"]\n\
                    journal = \"j\"\nconfirmations = 5\nfee_cap = \"7gwei\"\nbackend = \"flex\"\ntraces = [\"http://b\"]\n";
        std::fs::write(at("node.toml"), text).expect("written");
        let none = NodeArgs {
            config: Some(at("node.toml")),
            rpc: None,
            deployment: None,
            key_file: None,
            key_env: None,
            programs: Vec::new(),
            journal: None,
            confirmations: None,
            poll_ms: None,
            fees: FeeArgs { fee_cap: None, priority_fee: None, max_transaction_bytes: None },
            metrics: None,
        };
        let settled = none.settle(Special::default()).expect("settled");
        assert_eq!((settled.rpc.url.as_str(), settled.rpc.confirmations), ("http://a", 5));
        assert_eq!(settled.rpc.fee_cap.0, 7_000_000_000);
        assert_eq!((settled.journal, settled.deployment), (at("j"), at("d.toml")));
        assert_eq!(settled.special.backend, Some(Backend::Flex));
        let flags = NodeArgs { rpc: Some("http://c".into()), confirmations: Some(0), ..none.clone() };
        let special = Special { traces: vec!["http://d".into()], ..Special::default() };
        let settled = flags.settle(special).expect("settled");
        assert_eq!((settled.rpc.url.as_str(), settled.rpc.confirmations), ("http://c", 0));
        assert_eq!(settled.special.traces, ["http://d"]);
        let bare = NodeArgs { config: None, ..none };
        let error = bare.settle(Special::default()).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("--rpc"), "{error}");
    }
}
