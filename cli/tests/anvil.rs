//! A whole deployment: the contracts on a chain behind JSON-RPC, and nodes in processes of their own, over real time.
//!
//! Skipped, with the reason printed, where `contracts/node_modules` has no anvil.

mod support;

use serde_json::Value;
use support::{EXECUTOR, WATCHTOWER, World, fixture, get, narrows};

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

/// The calls that a node has sent, in order.
fn calls(log: &[Value]) -> Vec<String> {
    let sent = log.iter().filter(|line| line["message"] == "sent");
    sent.map(|line| line["call"].as_str().expect("a call").to_owned()).collect()
}

#[test]
fn an_honest_claim_is_checked_and_paid_and_nodes_stop_when_asked() {
    let Some(world) = World::begin() else { return };
    let mut executor = world.node("executor", EXECUTOR, "executor", &["--serve", "127.0.0.1:0"]);
    let mut watchtower = world.node("watch", WATCHTOWER, "watchtower", &[]);
    watchtower.wait_for("watchtower begins");
    let job = world.job();
    watchtower.wait_for("a claim is right");
    let claims = world.events(&["claims"]);
    let claim = of_kind(&claims, "claim")[0];
    assert_eq!((claim["job"].as_str(), claim["status"].as_str()), (Some(job.as_str()), Some("pending")));

    // The pending claim's trace can be had; nothing else can.
    let (traces, id) = (executor.address("traces"), claim["claim"].as_str().expect("an id"));
    let served = || get(&traces, &format!("/claims/{id}"));
    support::until("the trace is served", || served().0 == 200);
    let body: Value = serde_json::from_str(&served().1).expect("JSON");
    assert!(body["trace"].as_str().is_some_and(|digits| digits.len() > 2000), "a trace file");
    let several = body["lists"].as_array().map(Vec::len);
    assert_eq!(several, Some(4), "every layer of the digits has two operators, and their roots are signed");
    let other = format!("/claims/0x{}", "12".repeat(32));
    assert_eq!((get(&traces, &other).0, get(&traces, "/claims/x").0, get(&traces, "/").0), (404, 400, 404));

    let health = executor.address("health and metrics");
    let (status, said) = get(&health, "/healthz");
    assert!(status == 200 && said.contains("\"ok\""), "{status} {said}");
    assert_eq!(world.decided(1)[0]["status"], "final");
    executor.wait_for_call("withdraw");
    let (_, figures) = get(&health, "/metrics");
    for line in ["narrows_transactions_total{call=\"postClaim\"} 1", "narrows_claims{status=\"final\"} 1"] {
        support::until(line, || get(&health, "/metrics").1.lines().any(|found| found == line));
    }
    assert!(figures.contains("# TYPE narrows_gas_used_total counter"), "{figures}");
    assert!(of_kind(&world.events(&["disputes"]), "match").is_empty());
    assert!(of_kind(&world.events(&["claims", "--pending"]), "claim").is_empty(), "the job is closed");

    let log = executor.log();
    assert!(executor.end("-TERM").success() && watchtower.end("-INT").success(), "stopped as asked");
    assert_eq!(calls(&log), ["commitClaim", "postClaim", "finalise", "withdraw"]);
    let text = std::fs::read_to_string(world.at("executor.log")).expect("a log");
    assert!(text.contains("\"stopped\""), "{text}");
    // What it signs with is nowhere to be read.
    assert!(support::KEYS.iter().all(|key| !text.contains(key)));
}

#[test]
fn a_liar_whose_trace_is_served_falls_in_one_transaction() {
    let Some(world) = World::begin() else { return };
    let lie = ["--dangerously-cheat-for-tests", "layer", "--serve", "127.0.0.1:0"];
    let mut liar = world.node("executor", EXECUTOR, "liar", &lie);
    let traces = format!("http://{}", liar.address("traces"));
    let watch = ["--traces", &traces, "--trace-wait-ms", "8000"];
    let mut watchtower = world.node("watch", WATCHTOWER, "watchtower", &watch);
    watchtower.wait_for("watchtower begins");
    world.job();
    watchtower.wait_for("a claim is refuted");
    assert_eq!(world.decided(1)[0]["status"], "refuted");
    watchtower.wait_for_call("withdraw");
    assert_eq!(calls(&watchtower.log()), ["commit", "refute", "openReward", "collectReward", "withdraw"]);
    let disputes = world.events(&["disputes"]);
    assert!(of_kind(&disputes, "match").is_empty(), "no match was needed");
    assert_eq!(of_kind(&disputes, "refuted")[0]["settled"], true);
}

#[test]
fn a_liar_whose_trace_is_withheld_falls_in_a_match_though_the_watchtower_is_killed() {
    let Some(world) = World::begin() else { return };
    let lie = ["--dangerously-cheat-for-tests", "layer"];
    let liar = world.node("executor", EXECUTOR, "liar", &lie);
    let mut watchtower = world.node("watch", WATCHTOWER, "watchtower", &[]);
    watchtower.wait_for("watchtower begins");
    world.job();
    watchtower.wait_for_call("enter");
    assert!(!watchtower.end("-KILL").success());
    let mut watchtower = world.node("watch", WATCHTOWER, "watchtower", &[]);
    assert_eq!(world.decided(1)[0]["status"], "refuted");
    // Its bond comes back.
    watchtower.wait_for_call("reclaim");
    assert!(liar.log().iter().any(|line| line["call"] == "subTrace"), "it defended itself");
    let disputes = world.events(&["disputes"]);
    let fought = of_kind(&disputes, "match");
    assert_eq!((fought.len(), fought[0]["end"].as_str()), (1, Some("the challenger won")));
    support::until("everything is withdrawn", || calls(&watchtower.log()).ends_with(&["withdraw".into()]));
    let opened = calls(&watchtower.log()).iter().filter(|call| *call == "open").count();
    assert_eq!(opened, 1, "no second match");
}

#[test]
fn attack_30_an_executor_killed_in_mid_dispute_resumes_and_the_griefer_loses() {
    let Some(world) = World::begin() else { return };
    let mut executor = world.node("executor", EXECUTOR, "executor", &[]);
    let mut griefer = world.node("watch", WATCHTOWER, "griefer", &["--dangerously-grieve-for-tests"]);
    griefer.wait_for("watchtower begins");
    world.job();
    executor.wait_for_call("reveal");
    let killed = executor.end("-KILL");
    assert!(!killed.success());
    let pending = world.events(&["disputes", "--pending"]);
    assert_eq!(of_kind(&pending, "match").len(), 1, "the match goes on");
    let mut executor = world.node("executor", EXECUTOR, "executor", &[]);
    assert_eq!(world.decided(1)[0]["status"], "final");
    executor.wait_for_call("finalise");
    let disputes = world.events(&["disputes"]);
    let fought = of_kind(&disputes, "match");
    assert_eq!((fought.len(), fought[0]["end"].as_str()), (1, Some("the challenger lost")));
    // Both lives together: nothing twice, nothing missing. What was lost to the kill is a line of the log at most.
    let all = calls(&executor.log());
    let count = |name: &str| all.iter().filter(|call| *call == name).count();
    assert_eq!((count("commitClaim"), count("postClaim"), count("finalise")), (1, 1, 1), "{all:?}");
    assert!(count("subTrace") == 1 && count("revealTiles") == 1, "{all:?}");
    assert!(griefer.end("-TERM").success());
}

#[test]
fn mistakes_are_named_in_one_line_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let refused = |args: &[&str], parts: &[&str]| {
        let before = std::fs::read_dir(at).expect("a folder").count();
        let output = narrows(at).args(args).output().expect("runs");
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        let said: Vec<&str> = text.lines().filter(|line| line.contains("error:")).collect();
        assert_eq!(said.len(), 1, "{args:?}: {text}");
        for part in parts {
            assert!(said[0].contains(part), "{args:?}: '{part}' is not in: {text}");
        }
        assert!(!text.contains("secret"), "{args:?}: {text}");
        assert_eq!(
            std::fs::read_dir(at).expect("a folder").count(),
            before,
            "{args:?} leaves something behind"
        );
    };
    // Nobody listens at port 9 of this computer.
    let nowhere = "http://user:secret@127.0.0.1:9/secret";
    let key = ["--key-env", "NARROWS_KEY_0"];
    refused(&[&["deploy", "--rpc", nowhere], &key[..]].concat(), &["127.0.0.1:9", "did not answer"]);
    refused(&["deploy", "--rpc", nowhere, "--key-env", "NO_SUCH_KEY"], &["NO_SUCH_KEY"]);
    std::fs::write(at.join("key"), "no key").expect("written");
    refused(&["deploy", "--rpc", nowhere, "--key-file", "key"], &["key", "64 hexadecimal"]);
    std::fs::write(at.join("there.toml"), "").expect("written");
    refused(
        &[&["deploy", "--rpc", nowhere, "-o", "there.toml"], &key[..]].concat(),
        &["there.toml", "there already"],
    );
    refused(&[&["deploy", "--rpc", nowhere, "-o", "no/d.toml"], &key[..]].concat(), &["no", "folder"]);
    refused(&["claims", "--rpc", nowhere, "--deployment", "missing.toml"], &["missing.toml"]);
    refused(&["disputes", "--rpc", nowhere, "--deployment", "there.toml"], &["there.toml", "no deployment"]);
    refused(&["executor"], &["--rpc", "--config"]);
    std::fs::write(at.join("node.toml"), format!("rpc = \"{nowhere}\"\njornal = \"j\"\n")).expect("written");
    refused(&["watch", "--config", "node.toml"], &["node.toml", "line 2", "jornal"]);
    let program = fixture("digits.narrows");
    let deployed = "chain_id = 1\nfrom_block = 1\n";
    let zero = format!("\"0x{}\"", "00".repeat(20));
    let deployed = format!("{deployed}registry = {zero}\nreferee = {zero}\ngame = {zero}\n");
    std::fs::write(at.join("d.toml"), deployed).expect("written");
    std::fs::write(
        at.join("node.toml"),
        format!(
            "rpc = \"{nowhere}\"\ndeployment = \"d.toml\"\nkey_env = \"NARROWS_KEY_0\"\nprograms = [{program:?}]\njournal = \"j\"\n"
        ),
    )
    .expect("written");
    for kind in ["executor", "watch"] {
        refused(&[kind, "--config", "node.toml"], &["127.0.0.1:9", "did not answer"]);
    }
    refused(&["watch", "--config", "node.toml", "--traces", "ftp://secret"], &["http://host:port"]);
}
