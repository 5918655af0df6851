//! What a node serves over HTTP: health and metrics to its owner, an executor's traces to everybody.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use narrows_bisection::ClaimId;
use narrows_executor::node::Shelf;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::board::Board;
use super::stop::Stop;

/// Traces that are made and written out at once; who comes later waits.
const MAX_AT_ONCE: usize = 4;

/// Listens at `address`, and serves `router` until the node stops.
async fn listen(what: &'static str, address: SocketAddr, router: Router, mut stop: Stop) -> Result<()> {
    let taken = || format!("{address} cannot be listened at for {what}; name another address");
    let listener = TcpListener::bind(address).await.with_context(taken)?;
    let address = listener.local_addr().with_context(taken)?;
    tracing::info!(what, %address, "serving");
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(async move { stop.asked().await });
        if let Err(error) = served.await {
            tracing::error!(what, %error, "no longer served");
        }
    });
    Ok(())
}

/// Serves /healthz and /metrics.
pub async fn figures(address: SocketAddr, board: Board, stop: Stop) -> Result<()> {
    let router =
        Router::new().route("/healthz", get(health)).route("/metrics", get(metrics)).with_state(board);
    listen("health and metrics", address, router, stop).await
}

async fn health(State(board): State<Board>) -> Response {
    let (well, said) = board.health();
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CONTENT_TYPE, "application/json")], said).into_response()
}

async fn metrics(State(board): State<Board>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], board.metrics()).into_response()
}

#[derive(Clone)]
struct Traces {
    shelf: Shelf,
    board: Board,
    turns: Arc<Semaphore>,
}

/// Serves `/claims/ID`: what the shelf holds about a claim, as JSON.
pub async fn traces(address: SocketAddr, shelf: Shelf, board: Board, stop: Stop) -> Result<()> {
    let traces = Traces { shelf, board, turns: Arc::new(Semaphore::new(MAX_AT_ONCE)) };
    let router = Router::new().route("/claims/{claim}", get(trace)).with_state(traces);
    listen("traces", address, router, stop).await
}

async fn trace(State(traces): State<Traces>, Path(claim): Path<String>) -> Response {
    let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
        claim.as_str().into_deserializer();
    let Ok(claim) = ClaimId::deserialize(name) else {
        return (StatusCode::BAD_REQUEST, "a claim is 0x and 64 hexadecimal digits\n").into_response();
    };
    let nothing = || (StatusCode::NOT_FOUND, "nothing is served about this claim\n").into_response();
    if !traces.shelf.has(claim) {
        return nothing();
    }
    let Ok(_turn) = traces.turns.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    // The model may have to be run again, and a trace may be long to write out.
    let shelf = traces.shelf.clone();
    let made = move || shelf.get(claim).map(|served| serde_json::to_vec(&*served));
    let body = match tokio::task::spawn_blocking(made).await {
        Ok(Some(Ok(body))) => body,
        Ok(None) => return nothing(),
        Ok(Some(Err(_))) | Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    traces.board.served();
    tracing::debug!(%claim, bytes = body.len(), "a trace is handed out");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
