//! Fewer, longer dimensions: neighbouring ones are joined where every operand walks through them evenly.

use super::plan::{End, Planned};

impl Planned {
    /// Joins output dimensions, and reduction dimensions, to the innermost one.
    pub fn merge(&mut self) {
        self.merge_outputs();
        self.merge_terms();
    }

    /// The row-major order of elements stays: all dimensions between the joined ones are 1.
    fn merge_outputs(&mut self) {
        for axis in (0..3).rev() {
            if self.windowed(axis) {
                return;
            }
            let mut steps: Vec<&mut [usize]> = vec![&mut self.a.map.out, &mut self.params];
            steps.extend(self.b.as_mut().map(|b| b.map.out.as_mut_slice()));
            if let End::Divide { by, .. } = &mut self.end {
                steps.push(&mut by.map.out);
            }
            if !join(&mut self.out, axis, steps) {
                return;
            }
        }
    }

    /// The order of terms stays, for the same reason.
    fn merge_terms(&mut self) {
        for axis in (0..2).rev() {
            if self.windowed(axis) {
                return;
            }
            let mut steps: Vec<&mut [usize]> = vec![&mut self.a.map.red];
            steps.extend(self.b.as_mut().map(|b| b.map.red.as_mut_slice()));
            if !join(&mut self.red, axis, steps) {
                return;
            }
        }
    }

    /// Whether operand a has a window over this dimension.
    pub fn windowed(&self, axis: usize) -> bool {
        self.windows.get(axis).is_some_and(|window| window.limit > 0)
    }
}

/// Joins dimension `axis` of `counts` to the last one if all operands' steps allow it; says whether dimensions further
/// out may follow.
fn join(counts: &mut [usize], axis: usize, mut steps: Vec<&mut [usize]>) -> bool {
    let last = counts.len() - 1;
    if counts[axis] == 1 {
        return true;
    }
    let inner = counts[last];
    if inner == 1 {
        steps.iter_mut().for_each(|steps| steps[last] = steps[axis]);
    } else if steps.iter().any(|steps| steps[axis] != inner * steps[last]) {
        return false;
    }
    counts[last] *= counts[axis];
    counts[axis] = 1;
    true
}
