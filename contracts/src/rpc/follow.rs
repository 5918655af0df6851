//! Follows the contracts' events so that no reorganisation slips by.
//!
//! Only blocks with enough confirmations are read. Far below the head they are read in ranges; near it one by one, each
//! by its hash and held to its parent, so that a node that is behind cannot leave events out. A cursor counts events
//! since the first block that is followed; which block holds which is remembered, with the blocks' hashes. When a block
//! that was read is no longer the chain's, what was not delivered yet is read anew; if something was, the follower stops
//! for good with [`RpcError::Reorganised`].

use std::collections::VecDeque;

use alloy_primitives::B256;

use super::logs::{self, BlockLogs, Step};
use super::node::Node;
use super::{Contracts, RpcError};
use crate::{ChainError, LoggedEvent};

/// So many blocks below what is read at most are read one by one.
const NEAR: u64 = 16;
/// The most events that one answer holds, and the most bytes of them; the last block's are completed.
const MAX_ANSWER: usize = 1024;
const MAX_ANSWER_BYTES: u64 = 16 << 20;
/// The most bytes of events that are kept for the next question.
const MAX_KEPT_BYTES: u64 = 16 << 20;
/// What an event takes beside its data.
const EVENT_BYTES: u64 = 256;

/// A block that holds events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    number: u64,
    hash: B256,
    /// Events before it.
    first: u64,
    count: u64,
    /// What they take in memory, about.
    bytes: u64,
}

/// A block that holds events, and these unless they were only counted.
type Read = (Seen, Option<Vec<LoggedEvent>>);

/// What was read of the chain so far.
#[derive(Debug)]
pub(super) struct Follower {
    start: u64,
    /// The last block that was read, and its hash.
    tip: Option<(u64, B256)>,
    blocks: Vec<Seen>,
    /// Events of the latest blocks, oldest first.
    kept: VecDeque<(Seen, Vec<LoggedEvent>)>,
    /// Events that were given away.
    delivered: u64,
    step: Step,
    /// Why nothing more is given.
    stopped: Option<RpcError>,
}

/// Whether what was read is still the chain's.
enum Tip {
    Stands,
    /// The node has not come so far.
    Ahead,
    Gone,
}

impl Follower {
    /// Follows from the block that holds the contracts' deployment, or an earlier one.
    pub const fn new(start: u64, log_range: u64) -> Self {
        Self {
            start,
            tip: None,
            blocks: Vec::new(),
            kept: VecDeque::new(),
            delivered: 0,
            step: Step::new(log_range),
            stopped: None,
        }
    }

    fn next(&self) -> u64 {
        self.tip.map_or(self.start, |(number, _)| number.saturating_add(1))
    }

    fn total(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.first + block.count)
    }

    /// Events after the first `cursor`; empty when there are no more with enough confirmations.
    pub fn events_from(
        &mut self,
        node: &Node,
        contracts: &Contracts,
        cursor: u64,
    ) -> Result<Vec<LoggedEvent>, ChainError> {
        if let Some(stopped) = &self.stopped {
            return Err(stopped.clone().into());
        }
        let height = node.height()?;
        let behind = match self.tip(node)? {
            Tip::Stands => false,
            Tip::Ahead => true,
            Tip::Gone => {
                self.roll_back(node)?;
                false
            }
        };
        while !behind && !self.has_enough(cursor) {
            match self.read_on(node, contracts, height, cursor) {
                Ok(true) => {}
                Ok(false) => break,
                // What was read before a failure is given; the failure shows when there is nothing else to show.
                Err(error) if self.total() > cursor => {
                    tracing::warn!(endpoint = node.client.endpoint(), %error, "events are read only so far");
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let events = self.known(node, contracts, cursor)?;
        if !events.is_empty() {
            self.delivered = self.delivered.max(cursor + events.len() as u64);
        }
        Ok(events)
    }

    /// Whether an answer's worth of events was read after the first `cursor`.
    fn has_enough(&self, cursor: u64) -> bool {
        let from = self.blocks.partition_point(|block| block.first + block.count <= cursor);
        let bytes: u64 = self.blocks[from..].iter().map(|block| block.bytes).sum();
        self.total() >= cursor.saturating_add(MAX_ANSWER as u64) || bytes >= MAX_ANSWER_BYTES
    }

    fn tip(&self, node: &Node) -> Result<Tip, ChainError> {
        let Some((number, hash)) = self.tip else { return Ok(Tip::Stands) };
        Ok(match node.header(number)? {
            None => Tip::Ahead,
            Some(header) if header.hash == Some(hash) => Tip::Stands,
            Some(_) => Tip::Gone,
        })
    }

    /// Goes back to the last block of events that is still the chain's.
    fn roll_back(&mut self, node: &Node) -> Result<(), ChainError> {
        let mut good = self.blocks.len();
        while let Some(block) = good.checked_sub(1).map(|last| self.blocks[last]) {
            let behind =
                || node.client.nonsense("eth_getBlockByNumber", format!("no block {}", block.number));
            if node.header(block.number)?.ok_or_else(behind)?.hash == Some(block.hash) {
                break;
            }
            good -= 1;
        }
        let events = good.checked_sub(1).map_or(0, |last| self.blocks[last].first + self.blocks[last].count);
        let endpoint = node.client.endpoint();
        if self.delivered > events {
            // One more look: nodes behind one endpoint may differ for a moment.
            std::thread::sleep(node.config.poll);
            if !matches!(self.tip(node)?, Tip::Gone) {
                return Ok(());
            }
            let gone = RpcError::Reorganised { block: self.blocks[good].number, event: events };
            tracing::error!(endpoint, %gone, "events that were acted on are gone");
            self.stopped = Some(gone.clone());
            return Err(gone.into());
        }
        tracing::warn!(endpoint, tip = ?self.tip, "the chain was reorganised; nothing that was delivered has changed");
        self.blocks.truncate(good);
        self.kept.retain(|(kept, _)| self.blocks.contains(kept));
        self.tip = self.blocks.last().map(|block| (block.number, block.hash));
        Ok(())
    }

    /// Reads more blocks; `false` when there are none with enough confirmations, or the chain changed meanwhile: the next
    /// question begins by looking into that. Events before `cursor` are only counted.
    fn read_on(
        &mut self,
        node: &Node,
        contracts: &Contracts,
        height: u64,
        cursor: u64,
    ) -> Result<bool, ChainError> {
        let next = self.next();
        let Some(last) = height.checked_sub(node.config.confirmations).filter(|last| *last >= next) else {
            return Ok(false);
        };
        if last - next >= NEAR {
            return self.read_range(node, contracts, next, last, cursor);
        }
        // None on a node that is behind the one that gave the height.
        let Some(header) = node.header(next)? else { return Ok(false) };
        let hash = header.hash.expect("checked when it was read");
        if self
            .tip
            .is_some_and(|(number, tip)| number.checked_add(1) == Some(next) && tip != header.parent_hash)
        {
            return Ok(false);
        }
        let block = logs::of_block(node, contracts, next, hash)?;
        let read = self.read(node, contracts, vec![block], cursor)?;
        self.take(read, (next, hash));
        Ok(true)
    }

    /// Reads a range that ends well below `last`. What `last` was before and is after holds all that was read between
    /// together: blocks below a block cannot change without its hash.
    fn read_range(
        &mut self,
        node: &Node,
        contracts: &Contracts,
        next: u64,
        last: u64,
        cursor: u64,
    ) -> Result<bool, ChainError> {
        let Some(guard) = node.header(last)? else { return Ok(false) };
        let (blocks, end) = logs::in_range(node, contracts, &mut self.step, next, last - NEAR)?;
        let read = self.read(node, contracts, blocks, cursor)?;
        let Some(header) = node.header(end)? else { return Ok(false) };
        if !matches!(self.tip(node)?, Tip::Stands) || node.header(last)? != Some(guard) {
            return Ok(false);
        }
        self.take(read, (end, header.hash.expect("checked when it was read")));
        Ok(true)
    }

    /// The blocks that hold events, and the events of those that hold any after the first `cursor`.
    fn read(
        &self,
        node: &Node,
        contracts: &Contracts,
        blocks: Vec<BlockLogs>,
        cursor: u64,
    ) -> Result<Vec<Read>, ChainError> {
        let mut first = self.total();
        let mut all = Vec::new();
        for block in blocks.into_iter().filter(|block| !block.logs.is_empty()) {
            let (number, hash, count) = (block.number, block.hash, block.logs.len() as u64);
            let data: usize = block.logs.iter().map(|log| log.data.len()).sum();
            let seen = Seen { number, hash, first, count, bytes: data as u64 + count * EVENT_BYTES };
            first += count;
            let wanted = first > cursor;
            let events = wanted.then(|| logs::events(node, contracts, block, &node.header_of(hash)?));
            all.push((seen, events.transpose()?));
        }
        Ok(all)
    }

    /// Adds blocks of events to those known.
    fn take(&mut self, blocks: Vec<Read>, tip: (u64, B256)) {
        for (seen, events) in blocks {
            self.blocks.push(seen);
            self.kept.extend(events.map(|events| (seen, events)));
        }
        self.tip = Some(tip);
        let mut bytes: u64 = self.kept.iter().map(|(seen, _)| seen.bytes).sum();
        while bytes > MAX_KEPT_BYTES && self.kept.len() > 1 {
            bytes -= self.kept.pop_front().map_or(0, |(seen, _)| seen.bytes);
        }
    }

    /// Events after the first `cursor` that are in blocks that were read.
    fn known(&self, node: &Node, contracts: &Contracts, cursor: u64) -> Result<Vec<LoggedEvent>, ChainError> {
        let from = self.blocks.partition_point(|block| block.first + block.count <= cursor);
        let (mut events, mut bytes) = (Vec::new(), 0);
        for block in &self.blocks[from..] {
            let whole = match self.kept.binary_search_by_key(&block.number, |(kept, _)| kept.number) {
                Ok(at) => self.kept[at].1.clone(),
                Err(_) => {
                    let logs = logs::of_block(node, contracts, block.number, block.hash)?;
                    logs::events(node, contracts, logs, &node.header_of(block.hash)?)?
                }
            };
            if whole.len() as u64 != block.count {
                let reason =
                    format!("{} events of block {}, then {}", block.count, block.number, whole.len());
                return Err(node.client.nonsense("eth_getLogs", reason).into());
            }
            let skip = cursor.saturating_sub(block.first) as usize;
            events.extend(whole.into_iter().skip(skip));
            bytes += block.bytes;
            if events.len() >= MAX_ANSWER || bytes >= MAX_ANSWER_BYTES {
                break;
            }
        }
        Ok(events)
    }
}
