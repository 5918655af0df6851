//! What time the next block will have, as far as that can be known.

use std::time::{Duration, Instant};

/// The best estimate from the blocks seen so far. It needs no clock that agrees with the chain's, only one that runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// The latest block's time, and when it was first seen.
    latest: (u64, Instant),
    /// What the node said last of the block that it is making; 0 when nothing.
    pending: u64,
    /// When the node was asked last.
    asked: Instant,
}

impl Clock {
    pub fn new(latest: u64, now: Instant) -> Self {
        Self { latest: (latest, now), pending: 0, asked: now }
    }

    /// Whether the node need not be asked again yet.
    pub fn is_fresh(&self, now: Instant, for_at_most: Duration) -> bool {
        now.saturating_duration_since(self.asked) < for_at_most
    }

    /// Takes what the node says.
    pub fn observe(&mut self, latest: u64, pending: Option<u64>, now: Instant) {
        if latest > self.latest.0 {
            self.latest = (latest, now);
        }
        self.pending = pending.unwrap_or_default();
        self.asked = now;
    }

    /// The next block is later than the latest by what has passed since that was seen, if not by more.
    pub fn next_block(&self, now: Instant) -> u64 {
        let (time, seen) = self.latest;
        let estimate = time.saturating_add(now.saturating_duration_since(seen).as_secs());
        estimate.max(self.pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_between_blocks_and_never_back() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = Clock::new(1_000, at(0));
        assert_eq!((clock.next_block(at(0)), clock.next_block(at(5))), (1_000, 1_005));
        // The same block again: it was first seen at 0.
        clock.observe(1_000, None, at(6));
        assert_eq!(clock.next_block(at(7)), 1_007);
        clock.observe(1_012, None, at(8));
        assert_eq!(clock.next_block(at(10)), 1_014);
        // An older block, of a node that is behind, changes nothing.
        clock.observe(1_000, None, at(10));
        assert_eq!(clock.next_block(at(10)), 1_014);
        // A node that makes blocks only on demand knows better.
        clock.observe(1_012, Some(5_000), at(11));
        assert_eq!(clock.next_block(at(11)), 5_000);
        // One that was wrong about it for a moment is not believed for ever.
        clock.observe(1_012, None, at(11));
        assert_eq!(clock.next_block(at(11)), 1_015);
        clock.observe(u64::MAX, Some(0), at(12));
        assert_eq!(clock.next_block(at(13)), u64::MAX);
    }

    #[test]
    fn a_node_is_not_asked_too_often() {
        let start = Instant::now();
        let clock = Clock::new(0, start);
        assert!(clock.is_fresh(start + Duration::from_millis(9), Duration::from_millis(10)));
        assert!(!clock.is_fresh(start + Duration::from_millis(10), Duration::from_millis(10)));
    }
}
