//! Real nodes on a simulated chain, with enemies and kills: every run is its seed.
//!
//! A run that fails prints the line that plays it again. What must hold is in `narrows_tests::sim`: after every block money is
//! conserved, no lie is final and no honest executor is slashed; at the end every job is paid, every honest bond is back,
//! and nothing more is sent.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use narrows_bisection::ClaimStatus;
use narrows_tests::sim::{Cast, Faults, Journal, Kill, Lie, PROGRAMS, Plan, Report, Scenario, Serving, run};

/// Seeds of runs worth keeping: the first ones, and those that failed while a node sent a second commitment after a kill, took
/// one refusal for the last word, let one transaction hold up the others, or gave up a bond after a late answer.
const SEEDS: [u64; 18] = [
    1, 2, 3, 5, 8, 13, 21, 34, 0x1_0068, 0x1_010f, 0x1_0042, 0x1_0053, 0x1_0034, 0x1_0044, 0x1_00ac,
    0x1_00a3, 0x1_0131, 0x1_0171,
];
/// The first of the fresh seeds, and how many of them are played.
const FRESH: (u64, u64) = (0x1_0000, 600);

/// Plays a run in a folder of its own, in memory where the system has such a place.
fn play(scenario: Scenario) -> Report {
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(run(scenario, folder.path()))
}

/// Plays many runs on all cores; fails with the first that fails, and the line that plays it again.
fn play_all(scenarios: &[Scenario]) -> Vec<Report> {
    let next = AtomicU64::new(0);
    let reports = Mutex::new(vec![None; scenarios.len()]);
    let failed = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed) as usize;
                    let Some(scenario) = scenarios.get(at) else { return };
                    match catch_unwind(AssertUnwindSafe(|| play(*scenario))) {
                        Ok(report) => reports.lock().expect("whole")[at] = Some(report),
                        Err(_) => failed.lock().expect("whole").push(*scenario),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("whole");
    for scenario in &failed {
        if *scenario == Scenario::of(scenario.seed) {
            println!(
                "SEED={:#x} cargo test --release --test simulation seed_of_the_environment",
                scenario.seed
            );
        } else {
            println!("failed: {scenario:?}");
        }
    }
    assert!(failed.is_empty(), "{} of {} runs failed", failed.len(), scenarios.len());
    reports.into_inner().expect("whole").into_iter().map(|report| report.expect("played")).collect()
}

fn honest_all_final(reports: &[Report]) {
    for report in reports {
        assert!(!report.honest.is_empty() && report.honest.iter().all(|end| *end == ClaimStatus::Final));
    }
}

/// How often `event` was announced in all runs.
fn count(reports: &[Report], event: &str) -> u32 {
    reports.iter().filter_map(|report| report.events.get(event)).sum()
}

#[test]
fn seed_of_the_environment() {
    let Ok(text) = std::env::var("SEED") else { return };
    let digits = text.trim_start_matches("0x");
    let radix = if digits.len() < text.len() { 16 } else { 10 };
    let seed = u64::from_str_radix(digits, radix).expect("SEED is a number");
    println!("{:#?}", Scenario::of(seed));
    println!("{:#?}", play(Scenario::of(seed)));
}

#[test]
fn committed_seeds() {
    let scenarios: Vec<Scenario> = SEEDS.iter().map(|seed| Scenario::of(*seed)).collect();
    honest_all_final(&play_all(&scenarios));
}

#[test]
fn fresh_seeds() {
    let scenarios: Vec<Scenario> = (FRESH.0..FRESH.0 + FRESH.1).map(Scenario::of).collect();
    let reports = play_all(&scenarios);
    honest_all_final(&reports);
    // A simulator in which nothing happens would prove nothing.
    let lies = reports.iter().flat_map(|report| &report.others).filter(|(is_true, _)| !is_true).count();
    assert!(lies > 100, "{lies} lies");
    assert!(reports.iter().map(|report| report.killed).sum::<u32>() > 200);
    assert!(reports.iter().map(|report| report.reorganised).sum::<u32>() > 200);
    let kinds = [
        "Committed",
        "MatchOpened",
        "Revealed",
        "Picked",
        "SubTraced",
        "OperatorPicked",
        "TilesRevealed",
        "Prepared",
        "Named",
    ];
    let ends = [
        "Folded",
        "MatchWon",
        "MatchLost",
        "ClaimRefuted",
        "RewardOpened",
        "RewardCollected",
        "Reclaimed",
        "ClaimLapsed",
    ];
    for event in kinds.into_iter().chain(ends) {
        assert!(count(&reports, event) > 0, "no {event} in all runs");
    }
}

#[test]
fn a_seed_is_a_run() {
    for seed in [7, 11] {
        assert_eq!(play(Scenario::of(seed)), play(Scenario::of(seed)));
    }
    assert_ne!(play(Scenario::of(7)).digest, play(Scenario::of(11)).digest);
}

#[test]
fn on_a_calm_chain_everybody_gets_what_is_due() {
    let scenarios: Vec<Scenario> = (0..PROGRAMS).map(|program| Scenario::calm(1, program)).collect();
    let reports = play_all(&scenarios);
    honest_all_final(&reports);
    assert_eq!(count(&reports, "MatchOpened"), 0);
    assert_eq!(count(&reports, "JobAwarded"), PROGRAMS as u32);
}

/// A calm chain with a liar whose claim is disputed to the end, or refuted from what it serves.
fn lied_to(program: usize, lie: Lie, serving: Serving) -> Scenario {
    let cast = Cast { liar: Some(lie), ..Cast::default() };
    Scenario { cast, serving, ..Scenario::calm(9, program) }
}

/// The run, and the run again for each of the honest nodes' ticks in which something happens, with a kill there.
fn killed_at_every_tick(scenario: Scenario, kills: &[Kill], journal: Journal, step: usize) -> usize {
    let calm = play(scenario);
    assert!(calm.others.iter().all(|(is_true, end)| !is_true && *end == ClaimStatus::Refuted));
    let mut scenarios = Vec::new();
    for (watchtower, busy) in [(false, &calm.busy[0]), (true, &calm.busy[1])] {
        for tick in busy.iter().step_by(step) {
            let plans = kills.iter().map(|kill| Plan { watchtower, tick: *tick, kill: *kill, journal });
            scenarios.extend(plans.map(|plan| Scenario { plan: Some(plan), ..scenario }));
        }
    }
    let reports = play_all(&scenarios);
    honest_all_final(&reports);
    assert!(reports.iter().map(|report| report.killed).sum::<u32>() as usize > scenarios.len() / 2);
    for report in &reports {
        assert_eq!(report.others, calm.others, "the liar falls all the same");
        assert_eq!(report.events.get("ClaimCommitted"), calm.events.get("ClaimCommitted"), "no bond twice");
    }
    scenarios.len()
}

#[test]
fn attack_30_nodes_killed_at_every_transition_lose_nothing() {
    let kills = [Kill::Asking(0), Kill::Asking(4), Kill::Sending, Kill::Between];
    let played = lied_to(3, Lie::Doctored(1, false), Serving::Nothing);
    assert!(killed_at_every_tick(played, &kills, Journal::Kept, 1) > 100);
    let refuted = lied_to(0, Lie::Doctored(1, false), Serving::True);
    assert!(killed_at_every_tick(refuted, &kills, Journal::Kept, 1) > 50);
    // Between a step's two moves, too, which an odd seed's watchtower makes wherever it can.
    let lies = (0..5).map(|operator| lied_to(3, Lie::Doctored(operator, false), Serving::Nothing));
    let prepared = lies.into_iter().find(|scenario| count(&[play(*scenario)], "Prepared") > 0);
    assert!(killed_at_every_tick(prepared.expect("a step of one move"), &kills, Journal::Kept, 1) > 100);
}

#[test]
fn attack_34_a_journal_lost_or_corrupted_in_mid_dispute_is_made_again_within_the_clock() {
    for journal in [Journal::Lost, Journal::Corrupted] {
        let played = lied_to(3, Lie::Doctored(4, false), Serving::Nothing);
        assert!(killed_at_every_tick(played, &[Kill::Between], journal, 2) > 15);
    }
}

#[test]
fn attack_34_a_trace_served_false_or_not_at_all_is_recomputed() {
    let servings = [Serving::Nothing, Serving::Bent, Serving::Garbage, Serving::Forged];
    let lies = [Lie::Doctored(1, false), Lie::WrongOutput(false)];
    let scenarios: Vec<Scenario> =
        servings.iter().flat_map(|serving| lies.iter().map(|lie| lied_to(3, *lie, *serving))).collect();
    let reports = play_all(&scenarios);
    honest_all_final(&reports);
    assert_eq!(count(&reports, "ClaimRefuted"), scenarios.len() as u32);
    assert!(count(&reports, "MatchOpened") >= scenarios.len() as u32 - 2, "what is served is of no use");
}

/// Scenarios on all programs, with each of some lies, changed by `change`.
fn all(change: impl Fn(&mut Scenario)) -> Vec<Scenario> {
    let lies = [None, Some(Lie::Doctored(1, false)), Some(Lie::Doctored(2, true)), Some(Lie::FlippedWeight)];
    let pairs = (0..PROGRAMS).flat_map(|program| lies.map(|lie| (program, lie)));
    let scenario = |(number, (program, liar)): (usize, (usize, Option<Lie>))| {
        let cast = Cast { liar, ..Cast::default() };
        let serving = if number % 2 == 0 { Serving::Nothing } else { Serving::True };
        let mut scenario = Scenario { cast, serving, ..Scenario::calm(number as u64, program) };
        change(&mut scenario);
        scenario
    };
    pairs.enumerate().map(scenario).collect()
}

#[test]
fn attack_17_front_runners_and_copycats_gain_nothing_and_stop_nobody() {
    let reports = play_all(&all(|scenario| {
        scenario.cast.front_runner = true;
        scenario.cast.copycat = true;
        scenario.faults.delay_blocks = 1;
    }));
    honest_all_final(&reports);
    assert!(reports.iter().flat_map(|report| &report.others).any(|(_, end)| *end == ClaimStatus::Refuted));
}

#[test]
fn attack_22_a_censor_with_a_budget_below_the_clock_changes_no_verdict() {
    let reports = play_all(&all(|scenario| scenario.cast.censor_seconds = 480));
    honest_all_final(&reports);
    for (is_true, end) in reports.iter().flat_map(|report| &report.others) {
        assert_eq!((*is_true, *end), (false, ClaimStatus::Refuted));
    }
}

#[test]
fn attack_22_an_executor_that_answers_in_the_last_legal_block_still_falls() {
    let reports = play_all(&all(|scenario| {
        scenario.cast.slow = true;
        scenario.serving = Serving::Nothing;
    }));
    honest_all_final(&reports);
    for (is_true, end) in reports.iter().flat_map(|report| &report.others) {
        assert_eq!((*is_true, *end), (false, ClaimStatus::Refuted));
    }
}

#[test]
fn attack_31_a_chain_that_reorders_repeats_is_late_and_reorganises_changes_no_verdict() {
    let reports = play_all(&all(|scenario| {
        scenario.faults = Faults {
            delay_blocks: 2,
            lost: 100,
            transport: 40,
            late: 300,
            short: 400,
            reorg: 200,
            asleep: 100,
        };
        scenario.confirmations = 3;
    }));
    honest_all_final(&reports);
    assert!(reports.iter().all(|report| report.reorganised > 5));
}

/// Reorganisations deeper than the confirmations, at every other block of a dispute.
fn deep(down: bool) -> Vec<Report> {
    let mut scenarios = Vec::new();
    for height in (16..90).step_by(2) {
        for serving in [Serving::Nothing, Serving::True] {
            let deep = Some((height, down));
            scenarios.push(Scenario { deep, ..lied_to(3, Lie::Doctored(1, false), serving) });
        }
    }
    let reports = play_all(&scenarios);
    honest_all_final(&reports);
    assert!(reports.iter().flat_map(|report| &report.others).all(|(_, end)| *end == ClaimStatus::Refuted));
    reports
}

#[test]
fn attack_31_a_reorganisation_deeper_than_the_confirmations_stops_nodes_until_they_begin_anew() {
    let reports = deep(false);
    let noticed = reports.iter().filter(|report| report.killed > 0).count();
    assert!(noticed > reports.len() / 4, "journals of {noticed} runs were made anew");
}

#[test]
fn attack_31_a_deep_reorganisation_while_nodes_are_down_is_noticed() {
    deep(true);
}

#[test]
fn attack_32_griefers_flooders_and_squatters_lose_and_nothing_loops() {
    let reports = play_all(&all(|scenario| {
        scenario.cast.griefer = true;
        scenario.cast.flood = 5;
        scenario.cast.squatters = 2;
        scenario.faults.lost = 100;
        scenario.faults.late = 200;
    }));
    honest_all_final(&reports);
    assert!(count(&reports, "MatchLost") > 20 && count(&reports, "ClaimLapsed") > 10);
}

#[test]
fn attack_33_jobs_claims_and_matches_of_a_program_that_nobody_knows_stop_nobody() {
    let reports = play_all(&all(|scenario| scenario.cast.strange = true));
    honest_all_final(&reports);
    assert!(count(&reports, "Registered") > reports.len() as u32);
}
