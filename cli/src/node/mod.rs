//! Nodes that run for months against a chain over JSON-RPC: what `narrows executor` and `narrows watch` are made of.
//!
//! A node acts on journalled events only, so it may be killed at any moment and started again.
//!
//! | module | what it holds |
//! |---|---|
//! | `config` | the configuration file, and flags that override it |
//! | `chain` | deployments, keys, connections: for every command that speaks to a chain |
//! | `drive` | the loop: a tick, what it did, a pause; which failures end it |
//! | `log` | structured logs |
//! | `board`, `serve` | health and metrics, and the traces of claims, over HTTP |
//! | `source` | claimed traces from those who serve them |
//! | `stop` | signals |

pub mod board;
pub mod chain;
pub mod config;
pub mod drive;
pub mod log;
pub mod serve;
pub mod source;
pub mod stop;
