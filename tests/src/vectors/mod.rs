//! The conformance vectors of `fixtures/vectors`: kinds, cases and hashes, as SPEC 7 has them.

use narrows_bisection::Trace;
use narrows_commitment::{Digest, keccak};
use narrows_program::{DType, Fold, OperatorIndex, Program};

mod draw;
mod recipe;
mod records;

/// Cases of each kind.
pub const CASES: u32 = 12;

const TYPES: [DType; 3] = [DType::I8, DType::I16, DType::I32];
const FOLDS: [(Fold, &str); 6] = [
    (Fold::Dot, "dot"),
    (Fold::Sum, "sum"),
    (Fold::Max, "max"),
    (Fold::Pair, "pair"),
    (Fold::Gather, "gather"),
    (Fold::ArgMax, "argmax"),
];

/// How an operator ends, without what it ends by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Requantise alone.
    Requantise = 1,
    /// A table.
    Table = 2,
    /// A division.
    Divide = 3,
    /// A root.
    Root = 4,
}

const ENDINGS: [(Ending, &str); 4] = [
    (Ending::Requantise, "requantise"),
    (Ending::Table, "table"),
    (Ending::Divide, "divide"),
    (Ending::Root, "root"),
];

/// A kind of operator: its fold, its finalise and its types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The fold.
    pub fold: Fold,
    /// The finalise.
    pub ending: Ending,
    /// The type of a.
    pub a: DType,
    /// The type of b, if the fold reads one.
    pub b: Option<DType>,
    /// The output's type.
    pub out: DType,
}

impl Kind {
    /// All kinds, in the order of the file.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for (fold, _) in FOLDS {
            for (ending, _) in ENDINGS {
                for a in TYPES {
                    let bs = TYPES.map(Some);
                    for b in if fold.has_b() { &bs[..] } else { &[None] } {
                        all.extend(TYPES.map(|out| Self { fold, ending, a, b: *b, out }));
                    }
                }
            }
        }
        all
    }

    /// The kind's name: fold, finalise, then the types of a, b and the output.
    #[must_use]
    pub fn name(&self) -> String {
        let fold = FOLDS.iter().find(|(fold, _)| *fold == self.fold).map_or("", |(_, name)| *name);
        let ending = ENDINGS.iter().find(|(ending, _)| *ending == self.ending).map_or("", |(_, name)| *name);
        let types = [Some(self.a), self.b, Some(self.out)].into_iter().flatten();
        let types = types.map(|dtype| format!("-i{}", 8 * dtype.bytes()));
        format!("{fold}-{ending}{}", types.collect::<String>())
    }

    /// The kind's seed: the codes of fold, finalise and types as decimal digits.
    #[must_use]
    pub fn seed(&self) -> u64 {
        let b = self.b.map_or(0, |b| b as u64);
        let codes = [self.fold as u64, self.ending as u64, self.a as u64, b, self.out as u64];
        codes.iter().fold(0, |seed, code| seed * 10 + code)
    }

    /// Case `number`: a legal program whose last operator is of this kind, and an input.
    ///
    /// # Panics
    /// Never: the recipe's programs are legal.
    #[must_use]
    pub fn case(&self, number: u32) -> (Program, Vec<u8>) {
        let (parts, input) = recipe::build(*self, self.seed() << 32 | u64::from(number));
        let program = Program::new(parts);
        (program.unwrap_or_else(|error| panic!("{} {number}: {error}", self.name())), input)
    }
}

/// What the file says of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector {
    /// The kind.
    pub kind: Kind,
    /// Elements of this kind's operators, in all cases.
    pub elements: u64,
    /// Of the program files, each followed by its input.
    pub programs: Digest,
    /// Of all operators' outputs.
    pub outputs: Digest,
    /// Of the program roots, each followed by its trace's.
    pub roots: Digest,
}

/// Hashes a kind's cases as they come.
#[derive(Debug, Clone, Default)]
pub struct Hasher {
    elements: u64,
    programs: Vec<u8>,
    outputs: Vec<u8>,
    roots: Vec<u8>,
}

impl Hasher {
    /// Takes the next case, evaluated.
    ///
    /// # Panics
    /// When the outputs are not of the program's sizes.
    pub fn add(&mut self, program: &Program, input: &[u8], outputs: &[Vec<u8>]) {
        self.elements += program.operators().last().map_or(0, narrows_program::Operator::elements);
        self.programs.extend(program.encode());
        self.programs.extend(input);
        outputs.iter().for_each(|output| self.outputs.extend(output));
        let trace = Trace::new(program, input.to_vec(), outputs.to_vec()).expect("lengths");
        self.roots.extend(program.root().0.0);
        self.roots.extend(trace.root().0.0);
    }

    /// What there is to say of them.
    #[must_use]
    pub fn vector(&self, kind: Kind) -> Vector {
        let Self { elements, programs, outputs, roots } = self;
        let [programs, outputs, roots] = [programs, outputs, roots].map(|bytes| keccak(bytes));
        Vector { kind, elements: *elements, programs, outputs, roots }
    }
}

impl Vector {
    /// The vector's line in the file, without its comma.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { kind, elements, programs, outputs, roots } = self;
        let (name, seed) = (kind.name(), kind.seed());
        format!(
            r#"{{"kind":"{name}","seed":{seed},"cases":{CASES},"elements":{elements},"programs":"{programs}","outputs":"{outputs}","roots":"{roots}"}}"#
        )
    }
}

/// The whole file.
#[must_use]
pub fn file(vectors: &[Vector]) -> String {
    let elements: u64 = vectors.iter().map(|vector| vector.elements).sum();
    let lines: Vec<String> = vectors.iter().map(Vector::line).collect();
    format!("{{\"spec\":3,\"elements\":{elements},\"kinds\":[\n{}\n]}}\n", lines.join(",\n"))
}

/// Of a program, the operator that its kind is about: the last one.
///
/// # Panics
/// Never: a program has operators.
#[must_use]
pub fn subject(program: &Program) -> OperatorIndex {
    OperatorIndex(program.header().operators - 1)
}
