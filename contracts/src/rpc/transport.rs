//! One HTTP request and its answer: bounded, and held to the request's id.

use std::task::{Context, Poll};
use std::time::Duration;

use alloy_json_rpc::{Id, RequestPacket, ResponsePacket, RpcError as Failure};
use alloy_transport::{TransportError, TransportErrorKind, TransportFut};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Url};
use tower_service::Service;

use super::RpcError;
use super::config::RpcConfig;
use super::error::quote;

/// What may happen to a request on its way, beside what alloy's own errors name.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Broken(String),
    #[error("more than {0} bytes")]
    TooLarge(usize),
    #[error("the answer is to another request")]
    WrongId,
    #[error("the answer is a list")]
    Batch,
}

impl From<Fault> for TransportError {
    fn from(fault: Fault) -> Self {
        TransportErrorKind::custom(fault)
    }
}

/// A node reached over HTTP.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: Client,
    url: Url,
    limit: usize,
}

impl Http {
    pub fn new(config: &RpcConfig) -> Result<Self, RpcError> {
        // Only the first in a process sets it; whoever came before has set one that does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(config.request_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| RpcError::Start(error.without_url().to_string()))?;
        Ok(Self { client, url: config.parse_url()?, limit: config.max_answer_bytes })
    }

    async fn post(self, request: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let id = request.as_single().map(|single| single.id().clone());
        let body = request.serialize().map_err(TransportError::ser_err)?;
        let request = self.client.post(self.url).header(CONTENT_TYPE, "application/json");
        let mut response = request.body(body.get().to_owned()).send().await.map_err(broken)?;
        let (status, wait) = (response.status(), retry_after(response.headers()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > self.limit {
                return Err(Fault::TooLarge(self.limit).into());
            }
            body.extend_from_slice(&chunk);
        }
        let parsed = serde_json::from_slice::<ResponsePacket>(&body);
        if !status.is_success() {
            // Some nodes put a JSON-RPC error under an HTTP error; that says more.
            return match parsed {
                Ok(answer) if answer.is_error() => checked(answer, id.as_ref()),
                _ => {
                    let words = quote(&String::from_utf8_lossy(&body));
                    Err(TransportErrorKind::http_error_with_retry_after(status.as_u16(), words, wait))
                }
            };
        }
        let text = || quote(&String::from_utf8_lossy(&body));
        checked(parsed.map_err(|error| Failure::DeserError { err: error, text: text() })?, id.as_ref())
    }
}

/// The answer, if it is to the request with this id. An error may have no id: the node could not read the request's.
fn checked(answer: ResponsePacket, id: Option<&Id>) -> Result<ResponsePacket, TransportError> {
    let single = answer.as_single().ok_or(Fault::Batch)?;
    let nameless = single.id == Id::None && single.is_error();
    if id == Some(&single.id) || nameless { Ok(answer) } else { Err(Fault::WrongId.into()) }
}

/// What happened, without the URL, and with the reason below it: reqwest's own words are "error sending request".
fn broken(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    Fault::Broken(quote(&words)).into()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

impl Service<RequestPacket> for Http {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        Box::pin(self.clone().post(request))
    }
}
