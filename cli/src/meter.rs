//! What a computation takes: processor time of all threads of this process, time on the clock, memory.

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
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    processor: Option<Duration>,
    wall: Instant,
}

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Self {
        Self { processor: processor_time(), wall: Instant::now() }
    }

    /// What was taken since the start. Reading the accounts takes a while itself, which is measured and taken off.
    pub fn stop(self) -> Took {
        let wall = self.wall.elapsed();
        let (after, again) = (processor_time(), processor_time());
        let processor = self.processor.zip(after).zip(again).map(|((before, after), again)| {
            after.saturating_sub(before).saturating_sub(again.saturating_sub(after))
        });
        Took { processor: processor.unwrap_or(wall), wall }
    }
}

/// What this process's living threads have taken so far, where the system says so in nanoseconds (Linux).
fn processor_time() -> Option<Duration> {
    // A running thread's account is brought up to date when it offers its turn.
    std::thread::yield_now();
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    let nanoseconds = threads.filter_map(|thread| {
        // A thread may end meanwhile.
        let account = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        account.split_whitespace().next()?.parse::<u64>().ok()
    });
    let sum: u64 = nanoseconds.sum();
    (sum > 0).then(|| Duration::from_nanos(sum))
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
