//! What a computation takes: processor time of all threads of this process, time on the clock, memory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, Instant};

/// What something took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Took {
    /// Processor time of all threads together; the time on the clock where the system does not say.
    pub processor: Duration,
    /// Time on the clock.
    pub wall: Duration,
}

/// Measures from its start to its stop.
#[derive(Debug, Clone)]
pub struct Stopwatch {
    processor: Option<Accounts>,
    wall: Instant,
}

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Self {
        Self { processor: Accounts::read(), wall: Instant::now() }
    }

    /// What was taken since the start. Reading the accounts takes a while itself, which is measured and taken off.
    pub fn stop(&self) -> Took {
        let wall = self.wall.elapsed();
        let read = self.processor.as_ref().zip(Accounts::read()).zip(Accounts::read());
        let processor =
            read.map(|((before, after), again)| after.since(before).saturating_sub(again.since(&after)));
        Took { processor: processor.unwrap_or(wall), wall }
    }
}

/// Processor time taken so far, where the system says so (Linux).
#[derive(Debug, Clone)]
struct Accounts {
    /// Of each living thread, in nanoseconds.
    threads: BTreeMap<OsString, u64>,
    /// Of the process, threads that ended included, in hundredths of a second.
    whole: u64,
}

impl Accounts {
    fn read() -> Option<Self> {
        // A running thread's account is brought up to date when it offers its turn.
        std::thread::yield_now();
        let mut threads = BTreeMap::new();
        for thread in std::fs::read_dir("/proc/self/task").ok()? {
            let thread = thread.ok()?;
            // A thread may end meanwhile.
            if let Ok(account) = std::fs::read_to_string(thread.path().join("schedstat")) {
                threads.insert(thread.file_name(), account.split_whitespace().next()?.parse().ok()?);
            }
        }
        // The fields behind the program's name, which may hold anything; user and system time are the 14th and the 15th of all.
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        Some(Self { threads, whole: ticks()? + ticks()? })
    }

    /// What was taken since `before`: exactly, unless a thread ended and took its account with it.
    fn since(&self, before: &Self) -> Duration {
        let ended = before.threads.keys().any(|thread| !self.threads.contains_key(thread));
        if ended {
            return Duration::from_millis(10 * self.whole.saturating_sub(before.whole));
        }
        let sum = |accounts: &Self| accounts.threads.values().sum::<u64>();
        Duration::from_nanos(sum(self).saturating_sub(sum(before)))
    }
}

/// The most memory that this process has held, in bytes, where the system says so.
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The processor's name, its number of threads and the memory in bytes, where the system says so.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, key: &str| -> Option<String> {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let name = after(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.into());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = after(&read("/proc/meminfo"), "MemTotal");
    let memory = memory.and_then(|text| text.strip_suffix(" kB")?.trim().parse::<u64>().ok());
    let memory = memory.map_or_else(String::new, |kib| format!(", {} GiB", (kib + (1 << 19)) >> 20));
    format!("{threads} threads of {name}{memory}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computes until so much time of this thread's processor is spent, by the system's coarse account of the process.
    fn busy(ticks: u64) {
        let now = || Accounts::read().map(|accounts| accounts.whole);
        let end = now().map(|begun| begun + ticks);
        while now() < end {
            std::hint::black_box((0..100_000u64).fold(1u64, |x, y| x.rotate_left(5) ^ y));
        }
    }

    #[test]
    fn threads_that_end_do_not_take_their_time_with_them() {
        let (before, after) = std::thread::scope(|scope| {
            let (begin, begun) = std::sync::mpsc::channel();
            let (go, gone) = std::sync::mpsc::channel();
            let worker = scope.spawn(move || {
                begin.send(()).expect("somebody waits");
                gone.recv().expect("a word to go");
                busy(20);
            });
            begun.recv().expect("a worker");
            let before = Accounts::read();
            go.send(()).expect("a worker");
            worker.join().expect("a worker");
            (before, Accounts::read())
        });
        let Some((before, after)) = before.zip(after) else { return };
        // Other tests of this process may run meanwhile: at least what the worker took.
        assert!(after.since(&before) >= Duration::from_millis(150), "{before:?} {after:?}");
    }

    #[test]
    fn time_on_the_clock_is_no_processor_time() {
        let watch = Stopwatch::start();
        std::thread::sleep(Duration::from_millis(30));
        let took = watch.stop();
        assert!(took.wall >= Duration::from_millis(30));
        assert_eq!(Accounts::read().is_some(), cfg!(target_os = "linux"));
    }
}
