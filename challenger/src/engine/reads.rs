//! What an operand of an operator reads (SPEC 2.1), and how far neighbours in memory are read together.

use narrows_program::{IndexMap, Window};

use super::region::Region;

/// What is read of a stretch is picked out of it, and the stretch left alone, where it is so many times as long.
pub(crate) const SPARSE: usize = 4;

/// What an operand reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reads {
    /// Its index map.
    pub map: IndexMap,
    /// Its windows.
    pub windows: [Window; 2],
    /// Elements of the tensor.
    pub elements: u64,
    /// Lengths of the reduction axes.
    pub red: [u32; 3],
    /// A step that is added to addresses by value, so that no run may cross it; 0 where there is none.
    pub row: u64,
}

impl Reads {
    /// Whether moving along output axis `axis` changes what is read.
    pub fn moves(&self, axis: usize) -> bool {
        self.map.out[axis] != 0 || self.windows.get(axis).is_some_and(|w| w.limit > 0)
    }

    /// The address of a region's first term, windows aside.
    pub fn base(&self, region: &Region) -> u64 {
        let steps = self.map.out.iter().zip(region.start).map(|(step, start)| u64::from(*step) * start);
        u64::from(self.map.base) + steps.sum::<u64>()
    }

    /// The longest run that divides every step but those of the run's own axis.
    fn run(&self, region: &Region, axes: &[usize], along: Along) -> u64 {
        let last = axes.last().copied();
        let own = match (along, last) {
            (Along::Terms, _) if self.map.red[2] == 1 => u64::from(self.red[2]),
            (Along::Outputs, Some(last)) if self.map.out[last] == 1 && self.windowless(last) => {
                region.len[last] as u64
            }
            _ => return 1,
        };
        let outs =
            axes.iter().filter(|a| region.len[**a] > 1 && !(along == Along::Outputs && Some(**a) == last));
        let outs = outs.map(|a| self.map.out[*a]);
        let terms = (0..3).filter(|t| self.red[*t] > 1 && !(along == Along::Terms && *t == 2));
        let terms = terms.map(|t| self.map.red[t]);
        let windows = self.windows.iter().filter(|w| w.limit > 0).map(|w| w.stride);
        let steps = outs.chain(terms).chain(windows).map(u64::from);
        steps.chain([self.base(region), self.elements, self.row]).fold(own, gcd)
    }

    /// The longer run, and what it runs along.
    pub fn best_run(&self, region: &Region, axes: &[usize]) -> (Along, u64) {
        let terms = self.run(region, axes, Along::Terms);
        let outputs = self.run(region, axes, Along::Outputs);
        if outputs > terms { (Along::Outputs, outputs) } else { (Along::Terms, terms) }
    }

    fn windowless(&self, axis: usize) -> bool {
        self.windows.get(axis).is_none_or(|w| w.limit == 0)
    }
}

/// What neighbours in a run are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Along {
    /// Terms of one output.
    Terms,
    /// Outputs on the last gathered axis, of which one term each is read.
    Outputs,
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
