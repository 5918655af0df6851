//! Canonical bytes of headers and operators (SPEC 4.1, 4.2).

use crate::layer::Layers;
use crate::parts::{HEADER_BYTES, SharedParts};
use crate::reference::{Code, Reference};
use crate::{
    ConstantIndex, DType, Finalise, Fold, Header, IndexMap, Layer, LayerIndex, Operand, Operator,
    OperatorIndex, Params, Source, Window,
};

/// Bytes of an encoded operator descriptor without extension.
pub const DESCRIPTOR_BYTES: usize = 192;

/// Bytes of an encoded operator descriptor with the word that names a table or a divisor.
pub const EXTENDED_BYTES: usize = DESCRIPTOR_BYTES + 32;

/// Bytes of the descriptor that begins with these, by its flag; `None` for an unknown flag or too few bytes.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    match bytes.get(7)? {
        0 => Some(DESCRIPTOR_BYTES),
        1 => Some(EXTENDED_BYTES),
        _ => None,
    }
}

/// The version of the encoding.
pub(crate) const VERSION: u32 = 4;

pub(crate) fn header_bytes(header: &Header) -> [u8; HEADER_BYTES] {
    let mut out = Vec::with_capacity(HEADER_BYTES);
    words(&mut out, &[VERSION, header.layers, header.operators]);
    out.extend([header.input.dtype as u8, header.output.dtype as u8]);
    out.extend([header.reveal_bits, header.max_tensor_depth]);
    words(&mut out, &[header.input.elements as u32, header.output.elements as u32]);
    out.extend_from_slice(&header.work.to_be_bytes());
    out.extend_from_slice(&header.meta_hash.0);
    out.try_into().expect("the fields add up to a header")
}

/// The descriptor of operator `index`; its references must exist.
pub(crate) fn encode(parts: &SharedParts, layers: &Layers, index: OperatorIndex) -> Vec<u8> {
    let op = &parts.operators[index.0 as usize];
    let (own, _) = layers.place(index);
    let depth = |source: Source| parts.tensor(source).map_or(0, |t| t.depth() as u8);
    let (a_kind, a_index, a_rank, a_exports) = layers.reference(own, op.a.source).code();
    let b: Code = op.b.map_or((0, 0, 0, 0), |b| layers.reference(own, b.source).code());
    let (b_kind, b_index, b_rank, b_exports) = b;
    let extended = op.finalise.source().is_some();
    let mut out = vec![op.fold as u8, op.finalise.code(), op.dtype as u8, op.a.dtype as u8];
    out.extend([op.b.map_or(0, |b| b.dtype as u8), a_kind, b_kind, extended.into()]);
    out.extend([depth(Source::Operator(index)), depth(op.a.source)]);
    out.extend([op.b.map_or(0, |b| depth(b.source)), depth(Source::Constant(op.params.constant))]);
    words(&mut out, &[a_index, b_index, op.params.constant.0, op.split]);
    out.extend([a_rank, a_exports, b_rank, b_exports]);
    words(&mut out, &op.out);
    words(&mut out, &op.red);
    words(&mut out, &[op.pad as u32]);
    map(&mut out, &op.a.map);
    map(&mut out, &op.b.map_or(IndexMap::default(), |b| b.map));
    op.windows.iter().for_each(|w| window(&mut out, w));
    words(&mut out, &op.params.out);
    words(&mut out, &[op.scale_a as u32, op.scale_b as u32, op.lo as u32, op.hi as u32]);
    assert_eq!(out.len(), DESCRIPTOR_BYTES, "the fields add up to a descriptor");
    let (dtype, lift, at) = match op.finalise {
        Finalise::Requantise | Finalise::Root => return out,
        Finalise::Table(_) => (op.dtype, 0, IndexMap::default()),
        Finalise::Divide { by, lift } => (by.dtype, lift, by.map),
    };
    let source = op.finalise.source().expect("a table or a divisor");
    let (kind, index, rank, exports) = layers.reference(own, source).code();
    out.extend([dtype as u8, kind, depth(source), rank, exports, lift, 0, 0]);
    words(&mut out, &[index, at.base]);
    words(&mut out, &at.out);
    assert_eq!(out.len(), EXTENDED_BYTES, "the fields add up to an extended descriptor");
    out
}

fn words(out: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|value| out.extend_from_slice(&value.to_be_bytes()));
}

fn map(out: &mut Vec<u8>, map: &IndexMap) {
    words(out, &[map.base]);
    words(out, &map.out);
    words(out, &map.red);
}

fn window(out: &mut Vec<u8>, window: &Window) {
    words(out, &[window.limit, window.stride]);
    for half in [window.out_step, window.red_step, window.offset, 0] {
        out.extend_from_slice(&half.to_be_bytes());
    }
}

/// Reads big-endian fields off an encoded descriptor or header.
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl Fields<'_> {
    pub fn u8(&self, at: usize) -> u8 {
        self.0[at]
    }

    pub fn u16(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.0[at], self.0[at + 1]])
    }

    pub fn u32(&self, at: usize) -> u32 {
        u32::from_be_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    pub fn array<const N: usize>(&self, at: usize) -> [u32; N] {
        std::array::from_fn(|i| self.u32(at + 4 * i))
    }

    pub fn map(&self, at: usize) -> IndexMap {
        IndexMap { base: self.u32(at), out: self.array(at + 4), red: self.array(at + 20) }
    }

    pub fn window(&self, at: usize) -> Window {
        Window {
            limit: self.u32(at),
            stride: self.u32(at + 4),
            out_step: self.u16(at + 8),
            red_step: self.u16(at + 10),
            offset: self.u16(at + 12),
        }
    }
}

/// Decodes a descriptor's fields for an operator of layer `own`, whose references `layers` must have; `None` for an
/// unknown code or a reference to nothing. `bytes` has the length that its flag says. Depths, reserved bytes and fields
/// that the operator does not use are the caller's to compare.
pub(crate) fn decode(bytes: &[u8], layers: &[Layer], own: LayerIndex) -> Option<Operator> {
    let f = Fields(bytes);
    let source = |code: Code| Reference::from_code(code)?.resolve(layers, own);
    let a_source = source((f.u8(5), f.u32(12), f.u8(28), f.u8(29)))?;
    let a = Operand { source: a_source, dtype: DType::from_code(f.u8(3))?, map: f.map(64) };
    let b = match f.u8(4) {
        0 => None,
        code => {
            let source = source((f.u8(6), f.u32(16), f.u8(30), f.u8(31)))?;
            Some(Operand { source, dtype: DType::from_code(code)?, map: f.map(96) })
        }
    };
    let finalise = match f.u8(1) {
        1 => Finalise::Requantise,
        4 => Finalise::Root,
        _ if bytes.len() < EXTENDED_BYTES => return None,
        code => {
            let source = source((f.u8(193), f.u32(200), f.u8(195), f.u8(196)))?;
            match (code, source) {
                (2, Source::Constant(table)) => Finalise::Table(table),
                (3, source) => {
                    let map = IndexMap { base: f.u32(204), out: f.array(208), red: [0; 3] };
                    let by = Operand { source, dtype: DType::from_code(f.u8(192))?, map };
                    Finalise::Divide { by, lift: f.u8(197) }
                }
                _ => return None,
            }
        }
    };
    Some(Operator {
        fold: Fold::from_code(f.u8(0))?,
        dtype: DType::from_code(f.u8(2))?,
        out: f.array(32),
        red: f.array(48),
        a,
        windows: [f.window(128), f.window(144)],
        pad: f.u32(60) as i32,
        b,
        scale_a: f.u32(176) as i32,
        scale_b: f.u32(180) as i32,
        finalise,
        params: Params { constant: ConstantIndex(f.u32(20)), out: f.array(160) },
        lo: f.u32(184) as i32,
        hi: f.u32(188) as i32,
        split: f.u32(24),
    })
}
