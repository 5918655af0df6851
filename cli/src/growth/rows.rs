//! What was measured, put together by model, and kept in a file: so that a report holds curves that were measured at other times.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use anyhow::{Context as _, Result, ensure};
use narrows_commitment::TraceRoot;
use serde::{Deserialize, Serialize};

use super::figures::{Claims, Dispute, Figures, Load, Path, Point};
use super::models::Model;

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sample {
    /// What grows.
    pub at: u64,
    /// The model, and what was measured about it.
    pub point: Point,
    /// What came out.
    pub figures: Figures,
}

/// All measurements of a curve.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sampled {
    /// At which commit, on which machine, by which command.
    pub setting: String,
    /// In order.
    pub samples: Vec<Sample>,
}

/// Measurements by curve.
pub type Figured = BTreeMap<String, Sampled>;

/// Measurements kept in a file; none when there is no such file.
///
/// # Errors
/// When it is of another form.
pub fn kept(path: &FilePath) -> Result<Figured> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
            format!("{} is of another form; delete it and measure every curve", path.display())
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Figured::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// What was measured about one model of a curve.
#[derive(Debug)]
pub struct Row {
    /// What grows.
    pub at: u64,
    /// The model.
    pub model: Model,
    /// See [`super::Part::Load`], and so on.
    pub load: Option<Load>,
    /// The executor's path.
    pub run: Option<Path>,
    /// The watchtower's path.
    pub check: Option<Path>,
    /// A dispute.
    pub dispute: Option<Dispute>,
    /// A node that checks.
    pub claims: Option<Claims>,
}

/// Puts the measurements of a curve together, model by model.
///
/// # Errors
/// When those who ran a model do not agree on its root.
pub fn rows(samples: &[Sample]) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for Sample { at, point, figures } in samples {
        if rows.last().is_none_or(|row| row.model != point.model) {
            let (at, model) = (*at, point.model);
            rows.push(Row { at, model, load: None, run: None, check: None, dispute: None, claims: None });
        }
        let row = rows.last_mut().context("a row was just made")?;
        match figures.clone() {
            Figures::Load(load) => row.load = Some(load),
            Figures::Run(path) => row.run = Some(path),
            Figures::Check(path) => row.check = Some(path),
            Figures::Dispute(dispute) => row.dispute = Some(*dispute),
            Figures::Claims(claims) => row.claims = Some(claims),
        }
    }
    rows.iter().try_for_each(Row::agrees)?;
    Ok(rows)
}

impl Row {
    /// Whether all who ran the model gave one root.
    fn agrees(&self) -> Result<()> {
        let paths = self.run.iter().chain(&self.check).map(|path| path.root);
        let roots: Vec<TraceRoot> = paths.chain(self.dispute.iter().map(|dispute| dispute.root)).collect();
        let same = roots.windows(2).all(|pair| pair[0] == pair[1]);
        ensure!(same, "{:?} has the roots {roots:?}", self.model);
        Ok(())
    }
}
