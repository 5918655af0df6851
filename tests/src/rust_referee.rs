//! The referee in Rust alone on a true trace: what it makes of one element, by its witnesses.

use narrows_bisection::players::true_sums;
use narrows_bisection::referee::{Descriptor, View, combine, settle_fold, step};
use narrows_bisection::{ClaimedNodes, Refusal, Trace, WitnessSource, open_record};
use narrows_commitment::Digest;
use narrows_program::{OperatorIndex, Program};

/// The referee before one operator.
pub struct RustReferee<'a> {
    program: &'a Program,
    trace: &'a Trace,
    index: OperatorIndex,
    descriptor: Descriptor,
    view: View,
}

impl<'a> RustReferee<'a> {
    /// A referee that has to do with operator `index` of a claim of `trace`.
    ///
    /// # Panics
    /// When there is no such operator.
    #[must_use]
    pub fn new(program: &'a Program, trace: &'a Trace, index: OperatorIndex) -> Self {
        let descriptor = Descriptor::decode(&program.operator_bytes(index)).expect("operator bytes");
        let layer = program.layer_of(index).0;
        let operators = program.layer(layer).count;
        let view = View {
            input_root: trace.input_root(),
            trace_root: trace.root(),
            layers_depth: program.layers_tree().depth(),
            list: if operators > 1 { trace.sub_tree(layer).root() } else { Digest::default() },
            operators,
        };
        Self { program, trace, index, descriptor, view }
    }

    /// What it finds an element to be: from one witness, or segment by segment.
    ///
    /// # Errors
    /// The referee's refusal.
    pub fn element(&self, element: u64) -> Result<i64, Refusal> {
        let claimed = ClaimedNodes::default();
        let source =
            WitnessSource { program: self.program, trace: self.trace, claimed: &claimed, list: None };
        if self.program.operator(self.index).segments() == 1 {
            let witness = source.witness(self.index, element, None);
            return step(&self.view, &self.descriptor, element, None, &witness);
        }
        let own = true_sums(self.program, self.trace, self.index, element);
        let mut sums = Vec::new();
        for segment in 0..own.len() as u32 {
            let witness = source.witness(self.index, element, Some(segment));
            sums.push(step(&self.view, &self.descriptor, element, Some(segment), &witness)?);
        }
        let params = open_record(self.program, self.index, element);
        let third = source.third(self.index, element, combine(&self.descriptor, &sums));
        settle_fold(&self.view, &self.descriptor, element, &sums, &params, &third)
    }
}
