//! Logs of the contracts: in ranges that shrink where a node refuses, and read strictly.

use alloy_primitives::{Address, B256};
use narrows_bisection::{Account, BlockTime};
use serde_json::{Value, json};

use super::client::Refused;
use super::node::Node;
use super::types::{Header, LogEntry, quantity};
use super::{Contracts, RpcError};
use crate::bindings::{address, decode_log};
use crate::{ChainError, LoggedEvent};

/// A node's logs of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BlockLogs {
    pub number: u64,
    pub hash: B256,
    pub logs: Vec<LogEntry>,
}

/// How many blocks are asked for at once: fewer after a refusal, more after a success.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    now: u64,
    most: u64,
}

impl Step {
    pub const fn new(most: u64) -> Self {
        let most = if most == 0 { 1 } else { most };
        Self { now: most, most }
    }

    fn shrink(&mut self) -> bool {
        let before = self.now;
        self.now = (self.now / 2).max(1);
        self.now < before
    }

    fn grow(&mut self) {
        self.now = self.now.saturating_mul(2).min(self.most);
    }
}

fn addresses(contracts: &Contracts) -> [Address; 2] {
    [address(contracts.game), address(contracts.registry)]
}

/// The logs from block `from` on, up to `to` at the most, and the last block that they cover.
pub(super) fn in_range(
    node: &Node,
    contracts: &Contracts,
    step: &mut Step,
    from: u64,
    to: u64,
) -> Result<(Vec<BlockLogs>, u64), ChainError> {
    loop {
        let end = to.min(from.saturating_add(step.now - 1));
        let range = json!({ "fromBlock": quantity(from), "toBlock": quantity(end) });
        match node.logs(&addresses(contracts), range) {
            Ok(logs) => {
                step.grow();
                return Ok((in_blocks(node, logs, from..=end)?, end));
            }
            // Too many blocks, too many logs, too long an answer, too slow: all get better with fewer.
            Err(refused) if end > from && may_shrink(&refused) && step.shrink() => {}
            Err(refused) => return Err(node.client.explain("eth_getLogs", refused)),
        }
    }
}

fn may_shrink(refused: &Refused) -> bool {
    matches!(
        refused,
        Refused::Answer(_) | Refused::Other(RpcError::TooLarge { .. } | RpcError::Unreachable { .. })
    )
}

/// The logs of the one block with this hash. A node that does not know the block says so, where a range would be cut.
pub(super) fn of_block(
    node: &Node,
    contracts: &Contracts,
    number: u64,
    hash: B256,
) -> Result<BlockLogs, ChainError> {
    let filter: Value = json!({ "blockHash": hash });
    let logs = node.logs(&addresses(contracts), filter);
    let logs = logs.map_err(|refused| node.client.explain("eth_getLogs", refused))?;
    let mut blocks = in_blocks(node, logs, number..=number)?;
    match blocks.pop() {
        None => Ok(BlockLogs { number, hash, logs: Vec::new() }),
        Some(block) if block.hash == hash => Ok(block),
        Some(_) => {
            Err(node.client.nonsense("eth_getLogs", format!("logs of another block than {hash}")).into())
        }
    }
}

/// Orders logs by block and place. A log that is repeated is taken once; two logs in one place are nonsense.
fn in_blocks(
    node: &Node,
    logs: Vec<LogEntry>,
    range: std::ops::RangeInclusive<u64>,
) -> Result<Vec<BlockLogs>, ChainError> {
    let nonsense = |reason: &str| ChainError::from(node.client.nonsense("eth_getLogs", reason));
    let mut placed = Vec::with_capacity(logs.len());
    for log in logs.into_iter().filter(|log| !log.removed) {
        let place = (log.block_number, log.block_hash, log.log_index);
        let (Some(number), Some(hash), Some(index)) = place else {
            return Err(nonsense("a log that is in no block"));
        };
        let (number, index): (u64, u64) = (number.to(), index.to());
        if !range.contains(&number) {
            return Err(nonsense("a log from outside the range"));
        }
        placed.push((number, index, hash, log));
    }
    placed.sort_by_key(|(number, index, ..)| (*number, *index));
    placed.dedup();
    let mut blocks: Vec<BlockLogs> = Vec::new();
    let mut last = None;
    for (number, index, hash, log) in placed {
        if last == Some((number, index)) {
            return Err(nonsense("two logs in one place"));
        }
        last = Some((number, index));
        match blocks.last_mut() {
            Some(block) if block.number == number && block.hash == hash => block.logs.push(log),
            Some(block) if block.number == number => return Err(nonsense("two blocks in one place")),
            _ => blocks.push(BlockLogs { number, hash, logs: vec![log] }),
        }
    }
    Ok(blocks)
}

/// The events of a block, with who sent them and when.
pub(super) fn events(
    node: &Node,
    contracts: &Contracts,
    block: BlockLogs,
    header: &Header,
) -> Result<Vec<LoggedEvent>, ChainError> {
    let (number, time) = (block.number, BlockTime(header.timestamp.to()));
    if header.number.is_none_or(|found| found.to::<u64>() != number) {
        let reason = format!("block {} has not number {number}", block.hash);
        return Err(node.client.nonsense("eth_getBlockByHash", reason).into());
    }
    let mut senders: Vec<(B256, Account)> = Vec::new();
    let mut events = Vec::with_capacity(block.logs.len());
    for entry in block.logs {
        let nonsense = |reason: &str| ChainError::from(node.client.nonsense("eth_getLogs", reason));
        let hash = entry.transaction_hash.ok_or_else(|| nonsense("a log of no transaction"))?;
        let sender = match senders.iter().find(|(of, _)| *of == hash) {
            Some((_, sender)) => *sender,
            None => {
                let sender = node.sender_of(hash)?;
                senders.push((hash, sender));
                sender
            }
        };
        let contract =
            contracts.target(entry.address).ok_or_else(|| nonsense("a log of another contract"))?;
        let log = entry.log().ok_or_else(|| nonsense("a log of more than four topics"))?;
        events.push(LoggedEvent { block: number, time, sender, event: decode_log(contract, &log)? });
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_shrinks_to_one_and_grows_to_its_most() {
        let mut step = Step::new(5);
        let mut seen = vec![step.now];
        while step.shrink() {
            seen.push(step.now);
        }
        assert_eq!(seen, [5, 2, 1]);
        for _ in 0..4 {
            step.grow();
        }
        assert_eq!(step.now, 5);
        assert_eq!(Step::new(0).now, 1);
    }
}
