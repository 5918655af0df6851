//! Claimed traces from those who serve them. Nobody is trusted: a trace that does not hash to the claimed root is passed over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use narrows_bisection::served::Served;
use narrows_bisection::{ClaimId, Posted};
use narrows_challenger::node::TraceSource;
use narrows_program::Program;
use reqwest::{Client, Url};
use tokio::runtime::Handle;

/// The most that one request may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The most that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause before those who have nothing yet are asked again.
const PAUSE: Duration = Duration::from_millis(250);
/// Bytes of JSON for a byte of a trace, at most: three digits and a comma.
const WRITTEN: u64 = 4;
/// Bytes of JSON for a layer's signed list, at most; and for all the rest.
const LIST_BYTES: u64 = 1024;
const HEAD_BYTES: u64 = 4096;
/// No answer is longer than this.
const MAX_BYTES: u64 = 4 << 30;

/// Servers of traces, asked in turn.
pub struct HttpSource {
    client: Client,
    peers: Vec<Url>,
    programs: Vec<Arc<Program>>,
    wait: Duration,
    most: usize,
    runtime: Handle,
}

impl HttpSource {
    /// Asks `peers` for traces of `programs`, for as long as `wait` if nobody has one yet: the executor sees its own claim stand
    /// only a moment later.
    pub fn new(peers: &[String], programs: Vec<Arc<Program>>, wait: Duration) -> Result<Self> {
        // Only the first in a process sets it; whoever came before has set one that does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("the HTTP client cannot start; check the system's certificates")?;
        let peers = peers.iter().map(|peer| parse(peer)).collect::<Result<_>>()?;
        let most = programs.iter().map(|program| longest(program)).max().unwrap_or_default().min(MAX_BYTES);
        let most = usize::try_from(most).context("a trace of these programs fits no memory")?;
        Ok(Self { client, peers, programs, wait, most, runtime: Handle::current() })
    }

    async fn find(&self, claim: ClaimId, posted: &Posted) -> Option<Served> {
        let begun = Instant::now();
        loop {
            for peer in &self.peers {
                match self.ask(peer, claim).await {
                    Ok(Some(served)) if self.fits(&served, posted) => return Some(served),
                    Ok(Some(_)) => {
                        tracing::warn!(peer = name(peer), %claim, "serves another trace than is claimed")
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(peer = name(peer), %claim, error = %format!("{error:#}"), "serves no trace")
                    }
                }
            }
            if begun.elapsed() + PAUSE > self.wait {
                tracing::info!(%claim, "nobody serves the trace: it takes a match");
                return None;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What a server has about a claim; `None` when it has nothing.
    async fn ask(&self, peer: &Url, claim: ClaimId) -> Result<Option<Served>> {
        let mut url = peer.clone();
        let path = format!("{}/claims/{claim}", peer.path().trim_end_matches('/'));
        url.set_path(&path);
        let without = |error: reqwest::Error| error.without_url();
        let mut response = self.client.get(url).send().await.map_err(without)?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        ensure!(response.status().is_success(), "HTTP status {}", response.status().as_u16());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(without)? {
            ensure!(body.len() + chunk.len() <= self.most, "more than {} bytes", self.most);
            body.extend_from_slice(&chunk);
        }
        let served = serde_json::from_slice(&body).context("no served claim")?;
        Ok(Some(served))
    }

    /// Whether it is the claimed trace of any of the programs.
    fn fits(&self, served: &Served, posted: &Posted) -> bool {
        self.programs.iter().any(|program| served.trace(program, posted).is_ok())
    }
}

impl TraceSource for HttpSource {
    /// Blocks: called where a model may be run too.
    fn fetch(&self, claim: ClaimId, posted: &Posted) -> Option<Served> {
        self.runtime.block_on(self.find(claim, posted))
    }
}

/// The most bytes of JSON that a claim on `program` is served in.
fn longest(program: &Program) -> u64 {
    let outputs: u64 = program.operators().iter().map(|operator| operator.output_bytes()).sum();
    let trace = outputs + program.header().input.bytes() + HEAD_BYTES;
    trace * WRITTEN + u64::from(program.header().layers) * LIST_BYTES
}

fn parse(text: &str) -> Result<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.context("a server of traces is no URL; give http://host:port or https://host")
}

/// A server without what might be a secret.
fn name(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
