//! A small HTTP server that answers JSON-RPC, or does not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// What becomes of one request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// An answer under this HTTP status, with these further header lines.
    Http(u16, &'static str, Vec<u8>),
    /// The connection is cut.
    Cut,
    /// Half of an answer, then the connection is cut.
    Half,
    /// So many bytes of white space, and then an answer.
    Huge(usize),
    /// Nothing for a while, then the other.
    Late(Duration, Box<Reply>),
}

impl Reply {
    pub fn result(id: &Value, result: &Value) -> Self {
        Self::json(&json!({ "jsonrpc": "2.0", "id": id, "result": result }))
    }

    pub fn error(id: &Value, code: i64, message: &str, data: Option<&Value>) -> Self {
        let mut error = json!({ "code": code, "message": message });
        if let Some(data) = data {
            error["data"] = data.clone();
        }
        Self::json(&json!({ "jsonrpc": "2.0", "id": id, "error": error }))
    }

    pub fn json(value: &Value) -> Self {
        Self::Http(200, "", value.to_string().into_bytes())
    }
}

/// What a server does with a method, its parameters and the request's id.
pub type Handler = Arc<dyn Fn(&str, &Value, &Value) -> Reply + Send + Sync>;

/// A server on a port of its own, until it is dropped.
pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Server {
    pub fn start(handler: Handler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (handler, stopped) = (Arc::clone(&handler), Arc::clone(&stopped));
                if let Ok(stream) = stream {
                    // A client that goes away is no failure of the server's.
                    thread::spawn(move || serve(stream, &handler, &stopped));
                }
            }
        });
        Self { address, stop }
    }

    /// Its URL, with a path that nobody should ever see again.
    pub fn url(&self) -> String {
        format!("http://user:secret@{}/v3/secret?key=secret", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(mut stream: TcpStream, handler: &Handler, stop: &AtomicBool) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let request: Value = serde_json::from_slice(&body).ok()?;
        let mut reply = handler(request["method"].as_str()?, &request["params"], &request["id"]);
        while let Reply::Late(pause, then) = reply {
            thread::sleep(pause);
            reply = *then;
        }
        answer(&mut stream, reply)?;
    }
}

fn answer(stream: &mut TcpStream, reply: Reply) -> Option<()> {
    let head = |status: u16, more: &str, length: usize| {
        format!(
            "HTTP/1.1 {status} Because\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{more}\r\n"
        )
    };
    match reply {
        Reply::Http(status, more, body) => {
            stream.write_all(&[head(status, more, body.len()).as_bytes(), &body].concat()).ok()
        }
        Reply::Huge(length) => {
            stream.write_all(head(200, "", length).as_bytes()).ok()?;
            let blank = vec![b' '; 1 << 16];
            (0..length / blank.len()).try_for_each(|_| stream.write_all(&blank).ok())
        }
        Reply::Half => {
            stream.write_all(head(200, "", 100).as_bytes()).ok()?;
            stream.write_all(b"{\"jsonrpc\":").ok()?;
            None
        }
        Reply::Cut | Reply::Late(..) => None,
    }
}
