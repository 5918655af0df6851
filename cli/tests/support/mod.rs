//! A development chain in another process, and nodes on it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Keys that everybody knows: anvil gives each account 10,000 ETH.
pub const KEYS: [&str; 4] = [
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
];
/// Who claims; the first account deploys, and asks for runs.
pub const EXECUTOR: usize = 1;
/// Who watches.
pub const WATCHTOWER: usize = 2;

/// Windows of seconds, for a chain of a block a second.
const PARAMETERS: &str = r#"{
    "window_seconds": 16, "executor_clock_seconds": 40, "challenger_clock_seconds": 40, "grace_seconds": 4,
    "slack_seconds": 4, "reveal_seconds": 30, "reward_seconds": 6, "block_seconds": 1, "block_gas": 30000000,
    "executor_bond": "1000000000000000000", "fee_cap": "50000000000", "delay_fee": "10000000000000000",
    "work_price": "10000000000000", "attacker_budget": "3000000000000000000"
}"#;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/digits").join(name)
}

/// The binary, in `folder`, with every key in its environment and nobody's proxies.
pub fn narrows(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_narrows"));
    command.current_dir(folder);
    for (index, key) in KEYS.iter().enumerate() {
        command.env(format!("NARROWS_KEY_{index}"), key);
    }
    for proxy in
        ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NARROWS_LOG"]
    {
        command.env_remove(proxy);
    }
    command
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A chain with the contracts on it, and a folder.
pub struct World {
    pub folder: tempfile::TempDir,
    url: String,
    _anvil: Running,
}

impl World {
    /// Starts a chain and deploys; `None`, with the reason on standard error, where there is no anvil.
    pub fn begin() -> Option<Self> {
        let anvil = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts/node_modules/.bin/anvil");
        if !anvil.exists() {
            eprintln!("skipped: {} is not there; run `npm ci` in contracts/", anvil.display());
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let log = File::create(folder.path().join("anvil.log")).expect("a log");
        let arguments = ["--port", &port.to_string(), "--block-time", "1", "--hardfork", "osaka"];
        let child = Command::new(anvil)
            .args(arguments)
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .expect("anvil runs");
        let world = Self { folder, url: format!("http://127.0.0.1:{port}"), _anvil: Running(child) };
        until("anvil listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        std::fs::write(world.at("parameters.json"), PARAMETERS).expect("written");
        let deployed =
            world.events(&["deploy", "--key-env", "NARROWS_KEY_0", "--parameters", "parameters.json"]);
        assert_eq!(deployed.len(), 1, "{deployed:?}");
        Some(world)
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command that speaks to the chain.
    pub fn run(&self, args: &[&str]) -> Output {
        let chain = ["--rpc", &self.url, "--confirmations", "0", "--poll-ms", "100", "--json"];
        narrows(self.folder.path()).args(args).args(chain).output().expect("runs")
    }

    /// Runs it, expects success, gives its JSON events.
    pub fn events(&self, args: &[&str]) -> Vec<Value> {
        let output = self.run(args);
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{args:?}: {text} {}", String::from_utf8_lossy(&output.stderr));
        text.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
    }

    /// Posts a job for the sample; its id.
    pub fn job(&self) -> String {
        let (program, input) = (fixture("digits.narrows"), fixture("sample.npy"));
        let (program, input) = (program.to_str().expect("text"), input.to_str().expect("text"));
        let args = ["job", "--key-env", "NARROWS_KEY_0", "--program", program, "--input", input];
        let events = self.events(&[&args[..], &["--fee", "0.01eth", "--deadline", "600"]].concat());
        let posted = events.iter().find(|event| event["event"] == "job").expect("a job");
        posted["job"].as_str().expect("an id").to_owned()
    }

    /// Starts a node that logs into `name`.log.
    pub fn node(&self, kind: &str, key: usize, name: &str, extra: &[&str]) -> Node {
        let journal = format!("{name}.journal");
        let config = format!(
            "rpc = \"{}\"\ndeployment = \"deployment.toml\"\nkey_env = \"NARROWS_KEY_{key}\"\n\
             programs = [{:?}]\njournal = \"{journal}\"\nconfirmations = 0\npoll_ms = 100\n",
            self.url,
            fixture("digits.narrows")
        );
        std::fs::write(self.at(&format!("{name}.toml")), config).expect("written");
        let log = self.at(&format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).expect("a log");
        let config = format!("{name}.toml");
        let mut command = narrows(self.folder.path());
        command.args([kind, "--config", &config, "--metrics", "127.0.0.1:0", "--json"]).args(extra);
        let child = command.stdout(file).stderr(Stdio::inherit()).spawn().expect("runs");
        Node { running: Running(child), log }
    }

    /// Every claim, once none is pending and there are `count`.
    pub fn decided(&self, count: usize) -> Vec<Value> {
        let mut claims = Vec::new();
        until("every claim is decided", || {
            claims = self.events(&["claims"]);
            claims.retain(|event| event["event"] == "claim");
            claims.len() == count && claims.iter().all(|claim| claim["status"] != "pending")
        });
        claims
    }
}

/// A node in another process.
pub struct Node {
    running: Running,
    log: PathBuf,
}

impl Node {
    /// What it has logged so far.
    pub fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).expect("a log");
        // The last line may be half-written.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for a line with this message, and gives the last.
    pub fn wait_for(&mut self, message: &str) -> Value {
        self.wait_until(message, |line| line["message"] == message)
    }

    /// Waits for a transaction.
    pub fn wait_for_call(&mut self, call: &str) -> Value {
        self.wait_until(call, |line| line["message"] == "sent" && line["call"] == call)
    }

    fn wait_until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            if let Some(line) = self.log().into_iter().rfind(|line| fits(line)) {
                return line;
            }
            let ended = self.running.0.try_wait().expect("a process");
            assert!(ended.is_none(), "{what}: the node ended: {ended:?}, {:#?}", self.log());
            assert!(begun.elapsed() < PATIENCE, "{what}: not in {:#?}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The address at which it serves this.
    pub fn address(&mut self, what: &str) -> String {
        let line = self.wait_until(what, |line| line["message"] == "serving" && line["what"] == what);
        line["address"].as_str().expect("an address").to_owned()
    }

    /// Sends it a signal, and waits for its end.
    pub fn end(mut self, signal: &str) -> ExitStatus {
        let id = self.running.0.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill").success());
        self.running.0.wait().expect("it ends")
    }
}

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(150);

/// Waits until it is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The status and the body of a page.
pub fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("connected");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, body)
}
