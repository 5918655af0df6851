//! Requests, tried again while that may help, and their failures in our terms.

use std::time::Duration;

use alloy_json_rpc::{ErrorPayload, RpcError as Failure, RpcRecv};
use alloy_rpc_client::RpcClient;
use alloy_transport::{HttpError, TransportError, TransportErrorKind};
use serde_json::Value;

use super::RpcError;
use super::config::{RpcConfig, endpoint};
use super::error::quote;
use super::reactor::Reactor;
use super::transport::{Fault, Http};
use crate::ChainError;

/// The longest pause between two attempts, whatever the node asks for.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// What a request comes to when it fails.
#[derive(Debug, Clone)]
pub(super) enum Refused {
    /// The node understood and answered with an error.
    Answer(ErrorPayload),
    /// Everything else.
    Other(RpcError),
}

/// A node, and how patiently it is asked.
#[derive(Debug)]
pub(super) struct Client {
    rpc: RpcClient,
    reactor: Reactor,
    endpoint: String,
    attempts: u32,
    backoff: Duration,
}

/// What one failed attempt means.
enum Verdict {
    /// Try again, after at least so long.
    Again(RpcError, Option<Duration>),
    /// An error of the node's; tried again if the node is only short of breath.
    Answered(ErrorPayload, bool),
    /// It will not get better.
    Final(RpcError),
}

impl Client {
    pub fn new(config: &RpcConfig) -> Result<Self, RpcError> {
        let endpoint = endpoint(&config.parse_url()?);
        let rpc = RpcClient::new(Http::new(config)?, false);
        let attempts = config.attempts.max(1);
        Ok(Self { rpc, reactor: Reactor::start()?, endpoint, attempts, backoff: config.backoff })
    }

    /// The node's name for errors and logs.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Asks, and asks again while that may help. Every method that is used here may be repeated without harm.
    pub fn request<T: RpcRecv>(&self, method: &'static str, params: Value) -> Result<T, Refused> {
        let mut pause = self.backoff;
        for attempt in 1.. {
            let call = self.rpc.request::<Value, T>(method, params.clone());
            let error = match self.reactor.run(call.boxed()) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let (again, wait) = match self.judge(method, attempt, error) {
                Verdict::Again(error, wait) => (Refused::Other(error), wait),
                Verdict::Answered(payload, true) => (Refused::Answer(payload), None),
                Verdict::Answered(payload, false) => return Err(Refused::Answer(payload)),
                Verdict::Final(error) => return Err(Refused::Other(error)),
            };
            if attempt >= self.attempts {
                return Err(again);
            }
            let wait = wait.unwrap_or_default().max(pause).min(MAX_PAUSE);
            tracing::debug!(endpoint = %self.endpoint, method, attempt, ?wait, "trying again");
            std::thread::sleep(wait);
            pause = pause.saturating_mul(2);
        }
        unreachable!("the last attempt returns")
    }

    /// As [`Client::request`], where an error of the node's has no meaning of its own.
    pub fn ask<T: RpcRecv>(&self, method: &'static str, params: Value) -> Result<T, ChainError> {
        self.request(method, params).map_err(|refused| self.explain(method, refused))
    }

    /// A failure as an error of the chain.
    pub fn explain(&self, method: &'static str, refused: Refused) -> ChainError {
        ChainError::Rpc(match refused {
            Refused::Answer(payload) => RpcError::Declined {
                endpoint: self.endpoint.clone(),
                method,
                code: payload.code,
                message: quote(&payload.message),
            },
            Refused::Other(error) => error,
        })
    }

    /// An answer that such a node does not give.
    pub fn nonsense(&self, method: &'static str, reason: impl Into<String>) -> RpcError {
        RpcError::Nonsense { endpoint: self.endpoint.clone(), method, reason: quote(&reason.into()) }
    }

    fn judge(&self, method: &'static str, attempts: u32, error: TransportError) -> Verdict {
        let unreachable = |reason: String| RpcError::Unreachable {
            endpoint: self.endpoint.clone(),
            method,
            attempts,
            reason: quote(&reason),
        };
        match error {
            Failure::ErrorResp(payload) => {
                let again = is_short_of_breath(method, &payload);
                Verdict::Answered(payload, again)
            }
            Failure::Transport(kind) => {
                let wait = kind.retry_after();
                if let Some(HttpError { status, .. }) = kind.as_http_error() {
                    return match status {
                        408 | 425 | 429 | 500.. => {
                            Verdict::Again(unreachable(format!("HTTP status {status}")), wait)
                        }
                        _ => Verdict::Final(RpcError::Denied {
                            endpoint: self.endpoint.clone(),
                            status: *status,
                        }),
                    };
                }
                match kind {
                    TransportErrorKind::Custom(error) => match error.downcast_ref::<Fault>() {
                        Some(Fault::TooLarge(limit)) => Verdict::Final(RpcError::TooLarge {
                            endpoint: self.endpoint.clone(),
                            method,
                            limit: *limit,
                        }),
                        Some(fault @ (Fault::WrongId | Fault::Batch)) => {
                            Verdict::Again(self.nonsense(method, fault.to_string()), None)
                        }
                        _ => Verdict::Again(unreachable(error.to_string()), None),
                    },
                    other => Verdict::Again(unreachable(other.to_string()), None),
                }
            }
            Failure::DeserError { err, text } => {
                Verdict::Again(self.nonsense(method, format!("{err} in {text}")), None)
            }
            other => Verdict::Again(self.nonsense(method, other.to_string()), None),
        }
    }
}

/// Whether the node would answer if it were asked later. One provider's code for haste is also its code for a range that
/// holds too many logs; asking for the same range again would not help.
fn is_short_of_breath(method: &str, payload: &ErrorPayload) -> bool {
    let haste = payload.message.contains("rate") || payload.message.contains("request");
    let too_many = method == "eth_getLogs" && payload.code == -32005 && !haste;
    payload.is_retry_err() && !too_many
}
