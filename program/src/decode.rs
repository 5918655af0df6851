//! Program files: strict decoding (SPEC 4.3).

use std::collections::BTreeSet;

use crate::descriptor::{self, Fields};
use crate::parts::{HEADER_BYTES, SharedParts};
use crate::{
    Bytes, Constant, DType, Finalise, Illegal, Layer, LayerIndex, Meta, Operator, OperatorIndex, Program,
    TensorType, limits,
};

/// Why bytes are not a program file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The file does not begin as a program does.
    #[error("not a Narrows program: the first bytes are not NRWS; give a file that `narrows compile` wrote")]
    Magic,
    /// The file ends early.
    #[error("the program is truncated: {0} more bytes are needed; fetch or compile it again")]
    Truncated(u64),
    /// Bytes after the end.
    #[error("{0} bytes stand after the program's end; fetch or compile it again")]
    Trailing(u64),
    /// A field that no compiler writes.
    #[error("the program is altered or of an unknown version: bad {0}; fetch or compile it again")]
    Field(&'static str),
}

/// Why a program file does not load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The bytes are not a program's.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The program breaks a rule.
    #[error(transparent)]
    Illegal(#[from] Illegal),
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], DecodeError> {
        let short = DecodeError::Truncated(count.saturating_sub(self.0.len() as u64));
        let split = usize::try_from(count).ok().and_then(|n| self.0.split_at_checked(n));
        let (head, rest) = split.ok_or(short)?;
        self.0 = rest;
        Ok(head)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(Fields(self.take(4)?).u32(0))
    }
}

impl Program {
    /// Reads a program file and checks that the program is legal.
    ///
    /// # Errors
    /// When the bytes are not exactly one program's, or the program breaks a rule of SPEC 5.
    pub fn decode(bytes: &[u8]) -> Result<Self, LoadError> {
        Self::open(&Bytes::from(bytes.to_vec()))
    }

    /// As [`Program::decode`], without copying the weights: these constants are parts of `file`. Requantisation records and
    /// tables are copied, since legality speaks of their values.
    ///
    /// Every byte is read here once, for the digests: an altered file is refused or has another root. If `file` is a mapped
    /// file and somebody changes that afterwards, weights may become others than the root's, and the program stays legal.
    /// So whoever maps a file asks whether it is still the same before an answer that was computed from it is used.
    ///
    /// # Errors
    /// As [`Program::decode`].
    pub fn open(file: &Bytes) -> Result<Self, LoadError> {
        let mut reader = Reader(file);
        if reader.0.len() < 4 || reader.take(4)? != b"NRWS" {
            return Err(DecodeError::Magic.into());
        }
        let header = reader.take(HEADER_BYTES as u64)?;
        let f = Fields(header);
        if f.u32(0) != descriptor::VERSION {
            return Err(DecodeError::Field("version").into());
        }
        let dtype = DType::from_code(f.u8(12)).ok_or(DecodeError::Field("input type"))?;
        let input = TensorType { dtype, elements: u64::from(f.u32(16)) };
        let layers = layers(&mut reader, f.u32(4))?;
        let descriptors = descriptors(&mut reader, f.u32(8))?;
        let operators = operators(&descriptors, &layers)?;
        let constants = constants(&mut reader, file, &operators)?;
        let meta_bytes = meta(&mut reader)?;
        if !reader.0.is_empty() {
            return Err(DecodeError::Trailing(reader.0.len() as u64).into());
        }
        let meta: Meta = serde_json::from_slice(meta_bytes).map_err(|_| DecodeError::Field("meta"))?;
        let groups = layers.iter().map(|layer| layer.count).collect();
        let parts = SharedParts { input, operators, groups, constants, reveal_bits: f.u8(14), meta };
        let program = Self::with_meta_bytes(parts, meta_bytes.to_vec())?;
        if program.header_bytes() != header {
            return Err(DecodeError::Field("header").into());
        }
        if program.layers() != layers {
            return Err(DecodeError::Field("exports").into());
        }
        let same = |(i, d): (usize, &&[u8])| program.descriptor(OperatorIndex(i as u32)) == *d;
        if !descriptors.iter().enumerate().all(same) {
            return Err(DecodeError::Field("descriptor").into());
        }
        Ok(program)
    }
}

/// The layers as the file states them. Their exports are not yet known to be right.
fn layers(reader: &mut Reader<'_>, count: u32) -> Result<Vec<Layer>, DecodeError> {
    // So that the sum of the counts below cannot overflow.
    if u64::from(count) > limits::MAX_COUNT {
        return Err(DecodeError::Field("number of layers"));
    }
    let mut layers = Vec::new();
    let mut first = OperatorIndex(0);
    for _ in 0..count {
        let [count, exports] = *reader.take(2)? else { unreachable!("two bytes were asked for") };
        let exports = reader.take(u64::from(exports))?.to_vec();
        layers.push(Layer { first, count, exports });
        first.0 += u32::from(count);
    }
    Ok(layers)
}

/// The encoded descriptors, each as long as its flag says.
fn descriptors<'a>(reader: &mut Reader<'a>, count: u32) -> Result<Vec<&'a [u8]>, DecodeError> {
    let mut descriptors = Vec::new();
    for _ in 0..count {
        if reader.0.len() < 8 {
            return Err(DecodeError::Truncated(8 - reader.0.len() as u64));
        }
        let length = descriptor::length(reader.0).ok_or(DecodeError::Field("descriptor"))?;
        descriptors.push(reader.take(length as u64)?);
    }
    Ok(descriptors)
}

fn operators(descriptors: &[&[u8]], layers: &[Layer]) -> Result<Vec<Operator>, DecodeError> {
    let mut own = 0;
    let mut operators = Vec::with_capacity(descriptors.len());
    for (index, bytes) in descriptors.iter().enumerate() {
        while layers.get(own).is_some_and(|layer| layer.operators().end <= index as u32) {
            own += 1;
        }
        let operator = descriptor::decode(bytes, layers, LayerIndex(own as u32));
        operators.push(operator.ok_or(DecodeError::Field("descriptor"))?);
    }
    Ok(operators)
}

/// The constants: records and tables copied, the others as parts of `file`, of which `reader` has the rest.
fn constants(
    reader: &mut Reader<'_>,
    file: &Bytes,
    operators: &[Operator],
) -> Result<Vec<Constant<Bytes>>, DecodeError> {
    let table = |op: &Operator| if let Finalise::Table(index) = op.finalise { Some(index.0) } else { None };
    let tables: BTreeSet<u32> = operators.iter().filter_map(table).collect();
    let mut constants = Vec::new();
    for index in 0..reader.u32()? {
        let dtype = DType::from_code(reader.take(1)?[0]).ok_or(DecodeError::Field("constant type"))?;
        let count = u64::from(reader.u32()?) * dtype.bytes() as u64;
        let from = file.len() - reader.0.len();
        let bytes = reader.take(count)?;
        let copied = dtype == DType::Params || tables.contains(&index);
        let bytes = if copied { Bytes::from(bytes.to_vec()) } else { file.part(from..from + bytes.len()) };
        constants.push(Constant { dtype, bytes });
    }
    Ok(constants)
}

fn meta<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let length = u64::from(reader.u32()?);
    if length > limits::MAX_META_BYTES {
        return Err(DecodeError::Field("meta length"));
    }
    reader.take(length)
}
