//! What the binary says of costs: `narrows economics`, and `narrows gas` against its snapshot.

mod binary;

use std::path::Path;

use binary::{event, events, fixture, narrows, refused, text};
use serde_json::Value;

#[test]
fn economics_of_the_digits() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let program = fixture("digits.narrows");
    let found = |args: &[&str]| {
        let all = events(at, &[&["economics", text(&program)], args].concat());
        event(&all, "economics")["found"].clone()
    };
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok()).expect("a number");
    let base = found(&[]);
    let dispute = &base["dispute"];
    assert_eq!(number(&dispute["moves"]), 2 * number(&dispute["reveal_rounds"]) + 8);
    let played = number(&dispute["interactive"]["transactions"]);
    assert!(played <= number(&dispute["moves"]), "{played}");
    assert_eq!(number(&dispute["at_once"]["transactions"]), 2);
    assert!(number(&dispute["at_once"]["gas"]) < number(&dispute["interactive"]["gas"]));
    // An honest executor loses nothing to nuisances, and they lose more than it spends.
    let crowd = &base["frivolous"];
    assert_eq!((number(&crowd["matches"]), number(&crowd["played"])), (16, 16));
    assert!(number(&crowd["compensation"]) > number(&crowd["outlay"]), "{crowd}");
    assert!(number(&crowd["attackers_loss"]) > number(&crowd["compensation"]), "{crowd}");
    assert!(number(&crowd["ratio_thousandths"]) > 2_000, "{crowd}");
    // Beyond what is played, sums grow in proportion; the delay does not grow at all.
    let many = found(&["--frivolous", "10000"]);
    assert_eq!((number(&many["frivolous"]["matches"]), number(&many["frivolous"]["played"])), (10_000, 256));
    assert_eq!(number(&many["frivolous"]["outlay"]), number(&crowd["outlay"]) / 16 * 10_000);
    assert_eq!(many["delay"], base["delay"]);
    // hardEnd - windowEnd = both clocks + moves x grace + slack, of the embedded chain's parameters.
    assert_eq!(number(&base["delay"]["after_window"]), 60 + 60 + number(&dispute["moves"]) * 5 + 10);
    delays_as_others_publish_them(&base, at, text(&program));
    assert!(number(&base["flood"]["thousandths"]) <= 100);
    // Twice the gas price, twice the cost, the same bonds.
    let dear = found(&["--gas-price", "2"]);
    assert_eq!(number(&dear["frivolous"]["outlay"]), 2 * number(&crowd["outlay"]));
    assert_eq!(dear["stakes"], base["stakes"]);
    let nobody = found(&["--frivolous", "0"]);
    assert_eq!(
        (number(&nobody["frivolous"]["outlay"]), &nobody["frivolous"]["ratio_thousandths"]),
        (0, &Value::Null)
    );

    // Parameters of one's own: other bonds; those out of range, or under which a flood pays, are refused by name.
    let parameters = |budget: &str, clock: u64| {
        format!(
            r#"{{"window_seconds":600,"executor_clock_seconds":{clock},"challenger_clock_seconds":60,"grace_seconds":5,
                "slack_seconds":10,"reveal_seconds":60,"reward_seconds":60,"block_seconds":12,"block_gas":60000000,
                "executor_bond":"1000000000000000000","fee_cap":"1000000000","delay_fee":"0","work_price":"0",
                "attacker_budget":"{budget}"}}"#
        )
    };
    std::fs::write(at.join("p.json"), parameters("1000000", 60)).expect("written");
    let own = found(&["--parameters", "p.json"]);
    assert_eq!((number(&own["stakes"]["claim_fee"]), number(&own["delay"]["undisputed"])), (0, 600));
    for (name, text) in [
        ("flood.json", parameters("3000000000000000000", 60)),
        ("range.json", parameters("0", 0)),
        ("no.json", "{}".into()),
    ] {
        std::fs::write(at.join(name), text).expect("written");
        refused(at, &["economics", self::text(&program), "--parameters", name], &[name]);
    }
}

/// At a window of 120 s and 30 s a move, as zk-OPML and opML give theirs: by hardEnd's formula, clocks of a second each, no slack.
fn delays_as_others_publish_them(found: &Value, at: &Path, program: &str) {
    let number = |value: &Value| value.as_u64().expect("a number");
    let delay = &found["delay"];
    let moves = number(&found["dispute"]["moves"]);
    let played = number(&found["dispute"]["interactive"]["transactions"]) - 1;
    // In one transaction, until the window ends; in a match that is opened at its last moment, a move every 30 s.
    assert_eq!(number(&delay["at_once_published"]), 120);
    assert_eq!(number(&delay["played_published"]), 120 + played * 30);
    assert_eq!(number(&delay["hard_end_published"]), 120 + 1 + 1 + moves * 30);
    assert!(number(&delay["played_published"]) <= number(&delay["hard_end_published"]));
    let peers: Vec<u64> = events(at, &["economics", program])
        .iter()
        .filter(|event| event["event"] == "peer")
        .map(|peer| number(&peer["seconds"]))
        .collect();
    assert_eq!(peers, [361, 1115, 1440]);
    assert!(number(&delay["at_once_published"]) < 361 && number(&delay["hard_end_published"]) < 1440);
    // A person reads the same.
    let shown = String::from_utf8(narrows(at, &["economics", program]).stdout).expect("text");
    for (line, seconds) in [
        ("this program, refuted in one transaction", number(&delay["at_once_published"])),
        ("this program, the match played above", number(&delay["played_published"])),
        ("this program, any match, by hardEnd's formula", number(&delay["hard_end_published"])),
        ("zk-OPML, a model of MNIST's size", 361),
        ("opML, a model of MNIST's size", 1440),
    ] {
        let found = shown.lines().find(|found| found.trim_start().starts_with(line));
        let found = found.unwrap_or_else(|| panic!("{line} is not in:\n{shown}")).replace(',', "");
        assert!(found.ends_with(&format!(" {seconds} s")), "{found}");
    }
}

/// Of a match's answers, what PROTOCOL 2 and 7 say of the schedule by which they are insured.
#[test]
fn answers_cost_what_their_schedule_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/gas.json");
    let text = std::fs::read_to_string(path).expect("fixtures/gas.json");
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    let dearest = |call: &str| {
        let of = |row: &&Value| row["what"].as_str().is_some_and(|what| what.starts_with(call));
        let gas = |row: &Value| row["amount"].as_u64().expect("gas");
        rows.iter().filter(of).map(gas).max().expect("it was measured")
    };
    let [reveal, tiles, sub_trace, fold] = ["reveal (", "revealTiles (", "subTrace (", "fold ("].map(dearest);
    let insured = 50_000 + 1_600 * 16;
    assert!(reveal.max(tiles).max(sub_trace) <= insured, "{reveal}, {tiles}, {sub_trace}");
    assert!(sub_trace + tiles + fold <= 300_000, "{sub_trace} + {tiles} + {fold}");
    assert!(fold <= insured + 100_000, "{fold}");
    let least = 50_000 + 1_600 * 2;
    assert!(fold + sub_trace <= 2 * least + 140_000, "{fold} + {sub_trace}");
}

#[test]
fn gas_is_as_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/gas.json");
    let now: Vec<Value> = events(folder.path(), &["gas"]);
    let now: Vec<String> = now.iter().map(Value::to_string).collect();
    if std::env::var_os("NARROWS_BLESS").is_some() {
        std::fs::write(&path, now.join("\n") + "\n").expect("written");
    }
    let then = std::fs::read_to_string(&path).expect("fixtures/gas.json");
    let then: Vec<&str> = then.lines().collect();
    let changed = now
        .iter()
        .zip(&then)
        .filter(|(now, then)| now != then)
        .map(|(now, then)| format!("{then}\n  now {now}"));
    let changed: Vec<String> = changed.collect();
    assert!(
        changed.is_empty() && now.len() == then.len(),
        "gas has changed, {} lines to {}; if it is meant to, run this test with NARROWS_BLESS=1 and commit the file\n{}",
        then.len(),
        now.len(),
        changed.join("\n")
    );
}
