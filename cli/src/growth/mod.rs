//! How time, memory and the cost of disputes grow with a model, measured on synthetic programs: each measurement in a process
//! of its own, so that its memory is its own.
//!
//! | module | what it holds |
//! |---|---|
//! | `draft`, `models` | the synthetic programs |
//! | `honest` | loading, running, checking |
//! | `disputed` | disputes, really played |
//! | `claims` | a watchtower node's claims a second |
//! | `figures` | what is measured |
//! | `curves` | which models are measured, and the processes that measure them |
//! | `rows` | what was measured, by model, and kept |
//! | `fit` | lines through figures |
//! | `report`, `table`, `plot` | tables and pictures |

mod claims;
pub mod curves;
mod disputed;
mod draft;
mod figures;
mod fit;
mod honest;
mod models;
mod plot;
pub mod report;
pub mod rows;
mod table;
#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::Result;
use narrows_challenger::engine::Backend;

pub use figures::{Figures, Part, Point};

/// Measures one point in this process.
pub async fn measure(point: Point, backend: Backend, effort: Duration) -> Result<Figures> {
    let model = point.model;
    Ok(match point.part {
        Part::Load => Figures::Load(honest::load(model)?),
        Part::Run => Figures::Run(honest::run(model, effort)?),
        Part::Check => Figures::Check(honest::check(model, backend, effort)?),
        Part::Dispute => Figures::Dispute(Box::new(disputed::measure(model)?)),
        Part::Claims => Figures::Claims(claims::measure(model, backend, effort).await?),
    })
}
