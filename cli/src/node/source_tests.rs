//! Servers of traces that are honest, late, lying, endless and broken.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use narrows_bisection::served::Venue;
use narrows_bisection::{Account, Trace};
use narrows_commitment::{TensorRoot, TensorTree};
use narrows_executor::node::{Conduct as _, Honest};
use tokio::runtime::Runtime;

use super::*;

const CLAIM: ClaimId = ClaimId(narrows_commitment::Digest([7; 32]));

fn program() -> Arc<Program> {
    let program = Program::decode(include_bytes!("../../../fixtures/digits/digits.narrows"));
    Arc::new(program.expect("the fixture is a program"))
}

fn trace(program: &Program, shift: u8) -> Trace {
    let input = include_bytes!("../../../fixtures/digits/sample.bin");
    let input = input.iter().map(|byte| byte.wrapping_add(shift) & 0x7f).collect();
    Honest.trace(program, input).expect("a trace")
}

fn posted(trace: &Trace) -> Posted {
    let output_root = TensorRoot(TensorTree::of_bytes(trace.output()).root());
    Posted { job: Default::default(), executor: Account([1; 20]), trace_root: trace.root(), output_root }
}

/// What a server says to its first visitor, its second and so on; the last answer again and again.
fn server(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/base/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for (visit, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let mut asked = Vec::new();
            let mut byte = [0];
            while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                asked.push(byte[0]);
            }
            let path = format!("GET /base/claims/{CLAIM} ");
            assert!(asked.starts_with(path.as_bytes()), "{}", String::from_utf8_lossy(&asked));
            // The visitor may have had enough.
            let _ = stream.write_all(&answers[visit.min(answers.len() - 1)]);
        }
    });
    url
}

fn page(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn served(program: &Program, trace: &Trace) -> Vec<u8> {
    let venue = Venue { chain_id: 1, game: Account([2; 20]), claim: CLAIM };
    serde_json::to_vec(&Served::new(program, trace, venue, None)).expect("JSON")
}

/// What is found about the claim of `trace` at these servers.
fn find(peers: &[String], trace: &Trace, wait: u64) -> Option<Served> {
    let runtime = Runtime::new().expect("a runtime");
    let source = {
        let _inside = runtime.enter();
        HttpSource::new(peers, vec![program()], Duration::from_millis(wait)).expect("a source")
    };
    source.fetch(CLAIM, &posted(trace))
}

#[test]
fn the_claimed_trace_is_found_also_behind_liars_and_when_it_comes_late() {
    let program = program();
    let (right, wrong) = (trace(&program, 0), trace(&program, 1));
    let good = page("200 OK", &served(&program, &right));
    let lie = page("200 OK", &served(&program, &wrong));
    let late = server(vec![page("404 Not Found", b""), good.clone()]);
    for (peers, wait) in [
        (vec![server(vec![good.clone()])], 0),
        (vec![server(vec![lie]), server(vec![good])], 0),
        (vec![late], 5000),
    ] {
        let found = find(&peers, &right, wait).expect("found");
        assert_eq!(found.trace(&program, &posted(&right)).expect("a trace"), right);
    }
    assert!(find(&[], &right, 0).is_none());
}

#[test]
fn attack_33_whatever_a_server_says_a_watchtower_goes_on() {
    let program = program();
    let right = trace(&program, 0);
    let body = served(&program, &right);
    let half = page("200 OK", &body);
    let endless = page("200 OK", &vec![b'1'; usize::try_from(longest(&program)).expect("short") + 1]);
    let mut bent = body.clone();
    let at = body.len() / 2;
    bent[at] = if bent[at] == b'1' { b'2' } else { b'1' };
    let answers = [
        page("404 Not Found", b"nothing"),
        page("500 Internal Server Error", &body),
        page("302 Found", b""),
        page("200 OK", b""),
        page("200 OK", b"{}"),
        page("200 OK", b"[[[[[[[["),
        page("200 OK", &bent),
        half[..half.len() / 2].to_vec(),
        endless,
        b"no HTTP at all".to_vec(),
        Vec::new(),
    ];
    for answer in answers {
        let start = String::from_utf8_lossy(&answer[..answer.len().min(40)]).into_owned();
        assert!(find(&[server(vec![answer])], &right, 0).is_none(), "{start}");
    }
    // Nobody at home.
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    assert!(find(&[format!("http://{gone}")], &right, 0).is_none());
}

#[test]
fn what_is_no_url_is_refused_and_not_repeated() {
    for text in ["", "secret", "ftp://secret", "http://", "127.0.0.1:8700"] {
        let error = parse(text).expect_err("no URL").to_string();
        assert!(error.contains("http://host:port") && !error.contains("secret"), "{text}: {error}");
    }
    let secret = parse("https://user:secret@host.example:8700/secret").expect("a URL");
    assert_eq!(name(&secret), "host.example:8700");
}
