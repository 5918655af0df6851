//! `LSTM` and `GRU` unrolled for the fixed length of their input: one product for all steps' inputs, then the steps.

use super::Reader;
use crate::attributes::Attribute;
use crate::build::Term;
use crate::error::CompileError;
use crate::graph::{Binary, Function, Kind, Linear, Op, Tensor, ValueId};
use crate::limits::MAX_UNROLLED;

/// Most nodes that one step makes.
const NODES_PER_STEP: usize = 16;

/// One direction's weights.
struct Direction {
    /// First part of its nodes' names.
    name: &'static str,
    backward: bool,
    /// `[gates * hidden][input]`.
    input: Vec<f32>,
    /// `[gates * hidden][hidden]`.
    state: Vec<f32>,
    /// The biases of the input's and of the state's product.
    input_bias: Vec<f32>,
    state_bias: Vec<f32>,
}

/// What both operators read.
struct Recurrent {
    x: ValueId,
    steps: usize,
    batch: usize,
    hidden: usize,
    directions: Vec<Direction>,
}

/// What a direction makes.
struct Run {
    /// The states in the order of time.
    states: Vec<ValueId>,
    last: ValueId,
    cell: Option<ValueId>,
}

impl Reader<'_> {
    pub(super) fn lstm(&mut self) -> Result<(), CompileError> {
        self.arity(3, 8)?;
        let names = ["Sigmoid", "Tanh", "Tanh"];
        let common = self.recurrent(4, &names)?;
        self.node.attributes.only("input_forget", 0, 0)?;
        if let Some(peephole) = self.optional_constant(7)?
            && peephole.to_f32().iter().any(|&p| p != 0.0)
        {
            return Err(self.fail("it has peephole weights, which are not compiled"));
        }
        let mut runs = Vec::new();
        for (index, direction) in common.directions.iter().enumerate() {
            let h = self.initial(5, index, &common)?;
            let c = self.initial(6, index, &common)?;
            runs.push(self.lstm_run(&common, direction, h, c)?);
        }
        self.bind_runs(&common, runs)
    }

    fn lstm_run(
        &mut self,
        common: &Recurrent,
        direction: &Direction,
        mut h: Option<ValueId>,
        mut c: Option<ValueId>,
    ) -> Result<Run, CompileError> {
        let n = common.hidden;
        let bias = direction.input_bias.iter().zip(&direction.state_bias).map(|(a, b)| a + b).collect();
        let gates = self.gates_of_input(common, direction, bias, 4)?;
        let mut states = vec![common.x; common.steps];
        for t in direction.order(common.steps) {
            let part = |what: &str| format!("{}.t{t}.{what}", direction.name);
            let mut sum = self.piece(&part("x"), gates, 0, (t, 1))?;
            if let Some(h) = h {
                let op = linear(direction.state.clone(), None, 4 * n);
                let from_state =
                    self.emit(&part("h"), op, vec![h], vec![1, common.batch, 4 * n], Kind::Real)?;
                sum = self.two(&part("gates"), Binary::Add, sum, from_state)?;
            }
            let open = self.piece(&part("open"), sum, 2, (0, 3 * n))?;
            let open = self.emit_like(&part("sigmoid"), Op::Function(Function::Sigmoid), open)?;
            let new = self.piece(&part("new"), sum, 2, (3 * n, n))?;
            let new = self.emit_like(&part("tanh"), Op::Function(Function::Tanh), new)?;
            let input = self.piece(&part("input"), open, 2, (0, n))?;
            let output = self.piece(&part("output"), open, 2, (n, n))?;
            let mut cell = self.two(&part("write"), Binary::Mul, input, new)?;
            if let Some(c) = c {
                let forget = self.piece(&part("forget"), open, 2, (2 * n, n))?;
                let kept = self.two(&part("keep"), Binary::Mul, forget, c)?;
                cell = self.two(&part("cell"), Binary::Add, kept, cell)?;
            }
            let shown = self.emit_like(&part("shown"), Op::Function(Function::Tanh), cell)?;
            let state = self.two(&part("state"), Binary::Mul, output, shown)?;
            (h, c, states[t]) = (Some(state), Some(cell), state);
        }
        let last = h.ok_or_else(|| self.missing(0))?;
        Ok(Run { states, last, cell: c })
    }

    pub(super) fn gru(&mut self) -> Result<(), CompileError> {
        self.arity(3, 6)?;
        let names = ["Sigmoid", "Tanh"];
        let common = self.recurrent(3, &names)?;
        let before = self.node.attributes.int("linear_before_reset", 0)? != 0;
        let mut runs = Vec::new();
        for (index, direction) in common.directions.iter().enumerate() {
            let h = self.initial(5, index, &common)?;
            runs.push(self.gru_run(&common, direction, h, before)?);
        }
        self.bind_runs(&common, runs)
    }

    /// `before` says whether the state is multiplied by its weights before it is reset.
    fn gru_run(
        &mut self,
        common: &Recurrent,
        direction: &Direction,
        mut h: Option<ValueId>,
        before: bool,
    ) -> Result<Run, CompileError> {
        let n = common.hidden;
        let like = [1, common.batch, n];
        let mut bias = direction.input_bias.clone();
        let mut new_bias = vec![0.0; n];
        for (i, &b) in direction.state_bias.iter().enumerate() {
            if before && i >= 2 * n { new_bias[i - 2 * n] = b } else { bias[i] += b }
        }
        let gates = self.gates_of_input(common, direction, bias, 3)?;
        let (state_zr, state_new) = direction.state.split_at(2 * n * n);
        let mut states = vec![common.x; common.steps];
        for t in direction.order(common.steps) {
            let part = |what: &str| format!("{}.t{t}.{what}", direction.name);
            let x = self.piece(&part("x"), gates, 0, (t, 1))?;
            let mut open = self.piece(&part("open"), x, 2, (0, 2 * n))?;
            let mut new = self.piece(&part("new"), x, 2, (2 * n, n))?;
            if let Some(h) = h {
                let op = linear(state_zr.to_vec(), None, 2 * n);
                let shape = vec![1, common.batch, 2 * n];
                let from_state = self.emit(&part("h"), op, vec![h], shape, Kind::Real)?;
                open = self.two(&part("gates"), Binary::Add, open, from_state)?;
            }
            let open = self.emit_like(&part("sigmoid"), Op::Function(Function::Sigmoid), open)?;
            let update = self.piece(&part("update"), open, 2, (0, n))?;
            let reset = self.piece(&part("reset"), open, 2, (n, n))?;
            let from_state = match (h, before) {
                (None, false) => None,
                (None, true) => {
                    let scale = Tensor { shape: vec![n], values: new_bias.clone() };
                    let op = Op::Affine { scale, offset: Tensor::scalar(0.0) };
                    Some(self.emit_like(&part("memory"), op, reset)?)
                }
                (Some(h), true) => {
                    let op = linear(state_new.to_vec(), Some(new_bias.clone()), n);
                    let memory = self.emit(&part("memory"), op, vec![h], like.to_vec(), Kind::Real)?;
                    Some(self.two(&part("recalled"), Binary::Mul, reset, memory)?)
                }
                (Some(h), false) => {
                    let recalled = self.two(&part("recalled"), Binary::Mul, reset, h)?;
                    let op = linear(state_new.to_vec(), None, n);
                    Some(self.emit(&part("memory"), op, vec![recalled], like.to_vec(), Kind::Real)?)
                }
            };
            if let Some(from_state) = from_state {
                new = self.two(&part("sum"), Binary::Add, new, from_state)?;
            }
            let new = self.emit_like(&part("tanh"), Op::Function(Function::Tanh), new)?;
            let state = match h {
                None => {
                    let op = Op::Affine { scale: Tensor::scalar(-1.0), offset: Tensor::scalar(1.0) };
                    let write = self.emit_like(&part("write"), op, update)?;
                    self.two(&part("state"), Binary::Mul, write, new)?
                }
                Some(h) => {
                    let change = self.two(&part("change"), Binary::Sub, h, new)?;
                    let kept = self.two(&part("keep"), Binary::Mul, update, change)?;
                    self.two(&part("state"), Binary::Add, new, kept)?
                }
            };
            (h, states[t]) = (Some(state), state);
        }
        let last = h.ok_or_else(|| self.missing(0))?;
        Ok(Run { states, last, cell: None })
    }

    /// The input's share of every gate at every step.
    fn gates_of_input(
        &mut self,
        common: &Recurrent,
        direction: &Direction,
        bias: Vec<f32>,
        gates: usize,
    ) -> Result<ValueId, CompileError> {
        let outputs = gates * common.hidden;
        let op = linear(direction.input.clone(), Some(bias), outputs);
        let shape = vec![common.steps, common.batch, outputs];
        self.emit(&format!("{}.inputs", direction.name), op, vec![common.x], shape, Kind::Real)
    }

    fn two(&mut self, part: &str, op: Binary, a: ValueId, b: ValueId) -> Result<ValueId, CompileError> {
        let shape = self.shape_of(a).to_vec();
        self.emit(part, Op::Binary(op), vec![a, b], shape, Kind::Real)
    }

    fn piece(
        &mut self,
        part: &str,
        x: ValueId,
        axis: usize,
        (start, count): (usize, usize),
    ) -> Result<ValueId, CompileError> {
        match self.cut(part, &Term::Value(x), axis, (start, 1, count))? {
            Term::Value(id) => Ok(id),
            Term::Constant(_) => Err(self.missing(0)),
        }
    }

    /// A direction's state before its first step, where that is not zero.
    fn initial(
        &mut self,
        index: usize,
        direction: usize,
        common: &Recurrent,
    ) -> Result<Option<ValueId>, CompileError> {
        match self.optional(index)? {
            None => Ok(None),
            Some(Term::Constant(c)) if c.to_f32().iter().all(|&v| v == 0.0) => Ok(None),
            Some(Term::Constant(_)) => Err(self
                .fail(format!("its input {index}, a state to begin with, is not 0; export it with zeros"))),
            Some(Term::Value(id)) => {
                self.check_real(id)?;
                if self.shape_of(id) != [common.directions.len(), common.batch, common.hidden] {
                    return Err(self.fail(format!("its input {index} has shape {:?}", self.shape_of(id))));
                }
                self.piece(&format!("initial{index}.{direction}"), id, 0, (direction, 1)).map(Some)
            }
        }
    }

    fn bind_runs(&mut self, common: &Recurrent, runs: Vec<Run>) -> Result<(), CompileError> {
        if !self.node.outputs[0].is_empty() {
            let mut sequences = Vec::new();
            for run in &runs {
                let states = run.states.iter().map(|&id| Term::Value(id)).collect();
                let joined = self.concat(states, 0)?;
                let shape = vec![common.steps, 1, common.batch, common.hidden];
                sequences.push(self.reshape(joined, shape)?);
            }
            let all = self.concat(sequences, 1)?;
            self.bind(0, all);
        }
        let last = runs.iter().map(|run| Term::Value(run.last)).collect();
        let last = self.concat(last, 0)?;
        self.bind(1, last);
        let cells: Vec<Term> = runs.iter().filter_map(|run| run.cell).map(Term::Value).collect();
        if !cells.is_empty() {
            let cells = self.concat(cells, 0)?;
            self.bind(2, cells);
        }
        Ok(())
    }

    fn recurrent(&mut self, gates: usize, functions: &[&str]) -> Result<Recurrent, CompileError> {
        let x = self.real(0)?;
        let &[steps, batch, inputs] = self.shape_of(x) else {
            return Err(self.fail(format!(
                "its input has shape {:?}; steps x batch x features are expected",
                self.shape_of(x)
            )));
        };
        if steps * NODES_PER_STEP > MAX_UNROLLED {
            return Err(self.fail(format!(
                "it has {steps} steps; at most {} are unrolled",
                MAX_UNROLLED / NODES_PER_STEP
            )));
        }
        self.node.attributes.only("layout", 0, 0)?;
        let names: &[(&str, bool)] = match self.node.attributes.text("direction", "forward")?.as_str() {
            "forward" => &[("forward", false)],
            "reverse" => &[("reverse", true)],
            "bidirectional" => &[("forward", false), ("reverse", true)],
            other => return Err(self.node.attributes.refuse("direction", format!("it is {other}"))),
        };
        match self.node.attributes.take("activations") {
            None => {}
            Some(Attribute::Texts(given))
                if given.iter().zip(functions.iter().cycle()).all(|(a, b)| a == b) => {}
            Some(_) => {
                return Err(self
                    .node
                    .attributes
                    .refuse("activations", format!("only {functions:?} are compiled")));
            }
        }
        let (w, r) = (self.constant(1)?, self.constant(2)?);
        let hidden = r.shape.last().copied().unwrap_or(0);
        let stated = self.node.attributes.int("hidden_size", hidden as i64)?;
        let rows = gates * hidden;
        let fits = w.shape == [names.len(), rows, inputs]
            && r.shape == [names.len(), rows, hidden]
            && stated == hidden as i64
            && rows > 0;
        if !fits {
            return Err(self.fail(format!(
                "its weights have shapes {:?} and {:?}, which do not fit {inputs} features, {} directions and a \
                 hidden size of {stated}",
                w.shape,
                r.shape,
                names.len()
            )));
        }
        let bias = match self.optional_constant(3)? {
            Some(b) if b.shape == [names.len(), 2 * rows] => self.floats(&b, 3)?,
            Some(b) => return Err(self.fail(format!("its bias has shape {:?}", b.shape))),
            None => vec![0.0; names.len() * 2 * rows],
        };
        if let Some(lengths) = self.optional_constant(4)?
            && !lengths.to_i64().is_some_and(|v| v.iter().all(|&length| length == steps as i64))
        {
            return Err(
                self.fail(format!("its sequence_lens are not all {steps}; give every sequence that length"))
            );
        }
        let (w, r) = (self.floats(&w, 1)?, self.floats(&r, 2)?);
        let part = |all: &[f32], index: usize, of: usize| {
            all[all.len() / of * index..all.len() / of * (index + 1)].to_vec()
        };
        let directions = names
            .iter()
            .enumerate()
            .map(|(i, &(name, backward))| Direction {
                name,
                backward,
                input: part(&w, i, names.len()),
                state: part(&r, i, names.len()),
                input_bias: part(&bias, 2 * i, 2 * names.len()),
                state_bias: part(&bias, 2 * i + 1, 2 * names.len()),
            })
            .collect();
        Ok(Recurrent { x, steps, batch, hidden, directions })
    }
}

impl Direction {
    fn order(&self, steps: usize) -> Vec<usize> {
        if self.backward { (0..steps).rev().collect() } else { (0..steps).collect() }
    }
}

fn linear(weights: Vec<f32>, bias: Option<Vec<f32>>, outputs: usize) -> Op {
    Op::Linear(Linear { weights, bias, outputs })
}
