//! That disputes grow with the logarithm, at sizes that a test can play.

use narrows_bisection::players::{Choice, FirstDifference};
use narrows_bisection::{Parameters, Phase, Trace};
use narrows_commitment::{Digest, TensorRoot, Tile};
use narrows_executor::engine::Engine;

use super::disputed::{liar, measure as dispute};
use super::fit::{Line, exponent};
use super::models::{CHAIN_BLOCK, Made, Model};
use super::plot::{Chart, Series, draw};
use super::table::{Table, bytes, time};
use crate::dispute::Venue;
use crate::gas::targets::MOVE;

/// Gas that one more level may add beside its share of a reveal and a pick: a node in each path that a dispute's calls
/// carry (at most eight), 32 bytes at 40 gas each at most, and the hash that climbs it.
const LEVEL: u64 = 8 * (32 * 40 + 500);

/// Levels of the tree over the layers of a chain.
fn depth(operators: u32) -> u32 {
    (operators / CHAIN_BLOCK).ilog2()
}

#[test]
fn rounds_and_gas_of_a_dispute_grow_with_the_logarithm_and_it_ends_at_the_lie() {
    let played = [6, 10, 14].map(|log| {
        let operators = 1 << log;
        let played = dispute(Model::Chain { operators }).expect("a dispute");
        assert_eq!(played.operator, liar(operators).0);
        assert_eq!(played.size.operators, u64::from(operators));
        // Opening is no move of the match.
        assert!(played.interactive.transactions <= played.most_moves + 1);
        (operators, played)
    });
    for pair in played.windows(2) {
        let [(small, before), (large, after)] = pair else { unreachable!("two of them") };
        let levels = depth(*large) - depth(*small);
        let rounds = depth(*large).div_ceil(4) - depth(*small).div_ceil(4);
        // A round is a reveal and a pick.
        let (moves, most) = (u64::from(2 * rounds), u64::from(2 * rounds) * MOVE + u64::from(levels) * LEVEL);
        assert_eq!(after.interactive.transactions, before.interactive.transactions + moves);
        assert!(
            after.interactive.gas <= before.interactive.gas + most,
            "{before:?} {after:?}: {moves} moves and {levels} levels more"
        );
        // At once there are no rounds: only paths.
        assert_eq!(after.at_once.transactions, before.at_once.transactions);
        assert!(after.at_once.gas <= before.at_once.gas + u64::from(levels) * LEVEL, "{before:?} {after:?}");
        assert!(after.at_once.gas > before.at_once.gas, "a longer path is not free");
        assert!(after.settlement.gas <= before.settlement.gas + u64::from(levels) * LEVEL);
    }
}

#[test]
fn an_unjust_challenge_to_a_long_chain_is_lost_in_as_many_moves() {
    /// Accuses the last of everything.
    struct Last;
    impl Choice for Last {
        fn child(&mut self, claimed: &[Digest], _own: &[Digest]) -> Option<usize> {
            claimed.len().checked_sub(1)
        }
        fn operator(&mut self, claimed: &[TensorRoot], _own: &[TensorRoot]) -> Option<usize> {
            claimed.len().checked_sub(1)
        }
        fn element(&mut self, claimed: &[Tile], _own: &[Tile], size: usize) -> Option<(usize, usize)> {
            claimed.len().checked_sub(1).map(|tile| (tile, 128 / size - 1))
        }
        fn segment(&mut self, claimed: &[i64], _own: &[i64]) -> Option<usize> {
            claimed.len().checked_sub(1)
        }
    }
    let Made { program, input } = Model::Chain { operators: 1 << 10 }.make().expect("a chain");
    let truth = Trace::new(&program, input.clone(), Engine::new(&program).run(&input).expect("a run"));
    let truth = truth.expect("lengths");
    let mut venue = Venue::new(&program, Parameters::default()).expect("a chain");
    let job = venue.job(&input).expect("a job");
    let claim = venue.claim(job, &truth).expect("a claim");
    let begun = venue.spent.len();
    let fought = venue.fight(&claim, &truth, &truth, Last).expect("a match");
    assert_eq!(fought.phase, Phase::Lost);
    assert!((venue.spent.len() - begun) as u64 <= venue.registered().moves() + 1);
    // Who names the first difference of two equal traces has nothing to say, and nothing to refute.
    assert!(venue.fight(&claim, &truth, &truth, FirstDifference).is_err());
    assert!(venue.refutation(&claim, &truth, &truth).is_none());
}

#[test]
fn every_model_is_legal_and_runs_to_lively_values() {
    let models = [
        Model::Stack { width: 64, depth: 3, batch: 5 },
        Model::Stack { width: 2048, depth: 1, batch: 1 },
        Model::Attention { tokens: 32 },
        Model::Attention { tokens: 300 },
        Model::Chain { operators: 16 },
        Model::Digits,
    ];
    for model in models {
        let Made { program, input } = model.make().expect("a legal program");
        let outputs = Engine::new(&program).run(&input).expect("a run");
        let last = &outputs[outputs.len() - 1];
        let mut values: Vec<u8> = last.clone();
        values.sort_unstable();
        values.dedup();
        assert!(values.len() >= last.len().min(24) / 3, "{model:?} gives {values:?}");
        assert_ne!(input, model.input(&program, 1), "{model:?}: another number, another input");
    }
}

#[test]
fn lines_and_powers_are_those_of_the_points() {
    let line = Line::through(&[(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)]).expect("a line");
    assert!((line.start - 3.0).abs() < 1e-9 && (line.slope - 2.0).abs() < 1e-9 && line.worst < 1e-9);
    let bent = Line::through(&[(0.0, 0.0), (1.0, 3.0), (2.0, 0.0)]).expect("a line");
    assert!((bent.worst - 2.0).abs() < 1e-9 && bent.slope.abs() < 1e-9);
    assert_eq!(Line::through(&[(1.0, 2.0)]), None);
    assert_eq!(Line::through(&[(1.0, 2.0), (1.0, 3.0)]), None);
    assert_eq!(exponent(&[(9.0, 1.0), (2.0, 3.0), (4.0, 12.0)]), Some(2.0));
    assert_eq!(exponent(&[(2.0, 3.0)]), None);
    assert_eq!(exponent(&[(2.0, 0.0), (4.0, 1.0)]), None);
}

#[test]
fn tables_and_pictures_hold_what_they_are_given() {
    let mut table = Table::new(&["n", "gas"]);
    table.push(vec!["16".into(), "1,234".into()]);
    assert_eq!(table.lines(), ["| n  |   gas |", "| -- | ----: |", "| 16 | 1,234 |"]);
    let times = [0.0, 0.0123, 1.5, 12.34, 999.0, 1000.0, 10_000.0].map(time);
    assert_eq!(times, ["< 10 µs", "12 µs", "1.50 ms", "12.3 ms", "999 ms", "1.00 s", "10.0 s"]);
    assert_eq!([bytes(1023), bytes(1024), bytes(1 << 30)], ["1023 B", "1.00 KiB", "1.00 GiB"]);
    let series =
        |points: &[(f64, f64)]| Series { name: "gas".into(), points: points.to_vec(), fitted: false };
    let chart = |points: &[(f64, f64)], powers| Chart {
        title: "a dispute".into(),
        axis: "operators".into(),
        powers,
        series: vec![series(points)],
    };
    let picture = draw(
        "all",
        &[chart(&[(16.0, 1.0), (64.0, 9.0)], false), chart(&[(16.0, 0.5)], true), chart(&[], true)],
    );
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    assert_eq!(picture.matches("<circle").count(), 3);
    assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
}
