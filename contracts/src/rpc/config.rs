//! How a chain behind JSON-RPC is reached, paid and waited for.

use std::fmt;
use std::time::Duration;

use narrows_bisection::Wei;
use reqwest::Url;

use super::RpcError;
use super::key::Key;
use crate::MAX_TRANSACTION_BYTES;

/// How a chain behind JSON-RPC is reached, paid and waited for. [`RpcConfig::new`] gives defaults for a public chain.
#[derive(Clone)]
pub struct RpcConfig {
    /// The node's URL, http or https. It may hold credentials; nothing but its scheme, host and port is ever shown.
    pub url: String,
    /// The chain that is meant (EIP-155); any when `None`.
    pub chain_id: Option<u64>,
    /// Keys of the accounts that may send. None are needed to watch.
    pub keys: Vec<Key>,
    /// Blocks on top of a block before its events count and a transaction stands; 0 only where blocks are never undone.
    pub confirmations: u64,
    /// The most wei a gas that is ever paid.
    pub fee_cap: Wei,
    /// Wei a gas for whoever makes the block, at first.
    pub priority_fee: Wei,
    /// The most gas that a transaction is given; EIP-7825 allows no more than the default.
    pub gas_cap: u64,
    /// The most bytes that a transaction may have: what the chain's nodes take.
    pub max_transaction_bytes: usize,
    /// Gas beyond what the node estimates, in percent.
    pub gas_margin_percent: u64,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How often a request is tried, at least once.
    pub attempts: u32,
    /// The pause after a failed attempt, doubled after each.
    pub backoff: Duration,
    /// The pause between two looks at the chain while waiting.
    pub poll: Duration,
    /// When a transaction that does not stand is offered again for more.
    pub replace_after: Duration,
    /// When waiting for a transaction ends.
    pub receipt_timeout: Duration,
    /// The most blocks that are asked for logs at once, at least 1.
    pub log_range: u64,
    /// The most bytes of an answer that are read.
    pub max_answer_bytes: usize,
}

impl RpcConfig {
    /// Defaults for a public chain of 12-second blocks.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            chain_id: None,
            keys: Vec::new(),
            confirmations: 2,
            fee_cap: Wei(100_000_000_000),
            priority_fee: Wei(1_000_000_000),
            gas_cap: 1 << 24,
            max_transaction_bytes: MAX_TRANSACTION_BYTES,
            gas_margin_percent: 25,
            request_timeout: Duration::from_secs(20),
            attempts: 5,
            backoff: Duration::from_millis(250),
            poll: Duration::from_secs(1),
            replace_after: Duration::from_secs(60),
            receipt_timeout: Duration::from_secs(600),
            log_range: 2_000,
            max_answer_bytes: 32 << 20,
        }
    }

    /// Defaults for a development chain in the next room: nothing is undone, and waiting is short.
    #[must_use]
    pub fn local(url: impl Into<String>) -> Self {
        Self {
            confirmations: 0,
            poll: Duration::from_millis(20),
            backoff: Duration::from_millis(20),
            replace_after: Duration::from_secs(5),
            receipt_timeout: Duration::from_secs(30),
            ..Self::new(url)
        }
    }

    /// The URL, understood.
    pub(super) fn parse_url(&self) -> Result<Url, RpcError> {
        let url = Url::parse(&self.url).map_err(|_| RpcError::BadEndpoint("no URL"))?;
        match url.scheme() {
            "http" | "https" if url.host_str().is_some_and(|host| !host.is_empty()) => Ok(url),
            "http" | "https" => Err(RpcError::BadEndpoint("a URL without a host")),
            _ => Err(RpcError::BadEndpoint("neither http nor https")),
        }
    }
}

/// Names a node without what might be a secret: providers put keys into paths as well.
pub(super) fn endpoint(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(
        || format!("{}://{host}", url.scheme()),
        |port| format!("{}://{host}:{port}", url.scheme()),
    )
}

impl fmt::Debug for RpcConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.parse_url().map_or_else(|error| error.to_string(), |url| endpoint(&url));
        f.debug_struct("RpcConfig")
            .field("endpoint", &shown)
            .field("chain_id", &self.chain_id)
            .field("keys", &self.keys)
            .field("confirmations", &self.confirmations)
            .field("fee_cap", &self.fee_cap)
            .field("gas_cap", &self.gas_cap)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_never_shown() {
        let shown = |url: &str| {
            let config = RpcConfig::new(url);
            (config.parse_url().map(|url| endpoint(&url)), format!("{config:?}"))
        };
        for url in
            ["https://user:secret@host.example/v3/secret?key=secret#secret", "https://host.example/secret"]
        {
            let (named, debug) = shown(url);
            assert_eq!(named.as_deref(), Ok("https://host.example"));
            assert!(debug.contains("host.example") && !debug.contains("secret"), "{debug}");
        }
        assert_eq!(shown("http://127.0.0.1:8545").0.as_deref(), Ok("http://127.0.0.1:8545"));
        assert_eq!(shown("http://[::1]:1/x").0.as_deref(), Ok("http://[::1]:1"));
        for (url, reason) in [
            ("secret", "no URL"),
            ("", "no URL"),
            ("ws://secret.example", "neither http nor https"),
            ("file:///secret", "neither http nor https"),
        ] {
            let (named, debug) = shown(url);
            assert_eq!(named, Err(RpcError::BadEndpoint(reason)));
            assert!(!debug.contains("secret"), "{debug}");
        }
    }
}
