//! Where a program's operators are cut into layers.
//!
//! Only what a layer exports is hashed for an inference that nobody disputes, so a cut costs the bytes of the tensors
//! that cross it. A layer of many operators costs something only in a dispute, which then takes one step more.

use std::fmt;
use std::str::FromStr;

use narrows_program::{Operator, Source, limits::MAX_LAYER_OPERATORS};
use serde::{Deserialize, Serialize};

/// How to cut operators into layers. As text: `auto`, `node`, `block`, or a number of operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LayersOption {
    /// So that layers export the fewest bytes, and among such cuts into layers that are short and alike.
    #[default]
    Auto,
    /// What one operator of the source, with what is folded into it, became is a layer.
    Node,
    /// At every place that a single tensor crosses: a residual stage or a transformer's half block is a layer.
    Block,
    /// So many operators each, 1 to 32; the last layer has what remains.
    Count(u8),
}

/// A text or a number that is no way to cut layers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no way to cut a model into layers; give auto, node, block, or a number of operators from 1 to 32"
)]
pub struct ParseLayersError(pub String);

impl FromStr for LayersOption {
    type Err = ParseLayersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let count = || text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let option = match text {
            "auto" => Some(Self::Auto),
            "node" => Some(Self::Node),
            "block" => Some(Self::Block),
            _ => count().map(Self::Count),
        };
        let option = option.ok_or_else(|| ParseLayersError(text.chars().take(80).collect()))?;
        option.check().map(|()| option)
    }
}

impl fmt::Display for LayersOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Node => f.write_str("node"),
            Self::Block => f.write_str("block"),
            Self::Count(count) => count.fmt(f),
        }
    }
}

impl TryFrom<String> for LayersOption {
    type Error = ParseLayersError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LayersOption> for String {
    fn from(option: LayersOption) -> Self {
        option.to_string()
    }
}

impl LayersOption {
    /// Refuses numbers that no layer has.
    pub(crate) fn check(self) -> Result<(), ParseLayersError> {
        match self {
            Self::Count(count) if !(1..=MAX_LAYER_OPERATORS).contains(&count) => {
                Err(ParseLayersError(count.to_string()))
            }
            _ => Ok(()),
        }
    }
}

/// The number of operators in each layer, in order. `stages` tells for each operator what it was lowered from, never
/// decreasing; the option must have been checked.
pub(crate) fn groups(option: LayersOption, operators: &[Operator], stages: &[usize]) -> Vec<u8> {
    let most = usize::from(MAX_LAYER_OPERATORS);
    let tensors = Tensors::new(operators);
    let every = operators.len();
    let sizes: Vec<usize> = match option {
        LayersOption::Auto => tensors.cheapest(0, every),
        LayersOption::Count(count) => {
            let count = usize::from(count);
            (0..every).step_by(count).map(|first| count.min(every - first)).collect()
        }
        LayersOption::Node => tensors.split(stages.chunk_by(|a, b| a == b).map(<[usize]>::len)),
        LayersOption::Block => {
            let ends = tensors.single_crossings().into_iter().chain([every]);
            let sizes = ends.scan(0, |first, end| Some(end - std::mem::replace(first, end)));
            tensors.split(sizes)
        }
    };
    assert!(sizes.iter().all(|size| (1..=most).contains(size)), "layers have 1 to 32 operators");
    assert_eq!(sizes.iter().sum::<usize>(), every, "layers hold all operators");
    sizes.into_iter().map(|size| size as u8).collect()
}

/// What cutting needs to know of a program's tensors.
struct Tensors {
    /// For each operator the bytes of its output.
    bytes: Vec<u64>,
    /// For each operator the last that reads it, or itself.
    last_reader: Vec<usize>,
    /// The last operator that reads the program's input.
    input_reader: usize,
}

impl Tensors {
    fn new(operators: &[Operator]) -> Self {
        let mut last_reader: Vec<usize> = (0..operators.len()).collect();
        let mut input_reader = 0;
        for (reader, operator) in operators.iter().enumerate() {
            for source in operator.sources() {
                match source {
                    Source::Input => input_reader = reader,
                    Source::Operator(index) => last_reader[index.0 as usize] = reader,
                    Source::Constant(_) => {}
                }
            }
        }
        Self { bytes: operators.iter().map(Operator::output_bytes).collect(), last_reader, input_reader }
    }

    /// The places, each the number of operators before it, that one tensor crosses, the input counted as one.
    fn single_crossings(&self) -> Vec<usize> {
        let every = self.bytes.len();
        // A tensor made by operator i and last read by operator j crosses the places i + 1 to j.
        let mut change = vec![0i64; every + 1];
        let input = (0, self.input_reader);
        for (from, to) in self.last_reader.iter().enumerate().map(|(i, &j)| (i + 1, j)).chain([input]) {
            change[from] += 1;
            change[to + 1] -= 1;
        }
        let crossing = change.iter().scan(0, |sum, change| {
            *sum += change;
            Some(*sum)
        });
        (0..every).zip(crossing).filter(|(place, count)| *place > 0 && *count == 1).map(|(p, _)| p).collect()
    }

    /// Runs of the given sizes, those that are too long for a layer cut again.
    fn split(&self, sizes: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut first = 0;
        let mut all = Vec::new();
        for size in sizes {
            let last = first + size;
            if size <= usize::from(MAX_LAYER_OPERATORS) {
                all.push(size);
            } else {
                all.extend(self.cheapest(first, last));
            }
            first = last;
        }
        all
    }

    /// The cut of operators `first` to `last` (exclusive) into layers that export the fewest bytes; among those the
    /// one of the least sum of squared sizes, so of short layers alike.
    fn cheapest(&self, first: usize, last: usize) -> Vec<usize> {
        /// The best cut of the operators up to some place.
        #[derive(Clone, Copy)]
        struct Best {
            cost: (u64, u64),
            last_size: usize,
        }
        let mut best = vec![Best { cost: (0, 0), last_size: 0 }];
        for end in first + 1..=last {
            let mut exported = 0;
            let mut choice = Best { cost: (u64::MAX, u64::MAX), last_size: 0 };
            for size in 1..=usize::from(MAX_LAYER_OPERATORS).min(end - first) {
                let start = end - size;
                if self.last_reader[start] >= end {
                    exported += self.bytes[start];
                }
                // A layer that nobody reads exports its last operator.
                let bytes = if exported == 0 { self.bytes[end - 1] } else { exported };
                let (before, squares) = best[start - first].cost;
                let cost = (before + bytes, squares + (size * size) as u64);
                if cost < choice.cost {
                    choice = Best { cost, last_size: size };
                }
            }
            best.push(choice);
        }
        let mut sizes = Vec::new();
        let mut end = last - first;
        while end > 0 {
            sizes.push(best[end].last_size);
            end -= best[end].last_size;
        }
        sizes.reverse();
        sizes
    }
}

#[cfg(test)]
mod tests;
