//! Refuting a claim at once, by whoever holds its whole trace (PROTOCOL 4.6), and opening the reward (4.8).

use narrows_commitment::{Digest, TILE_BYTES, TensorRoot, keccak, tile_at};
use narrows_program::{ElementIndex, LayerIndex, OperatorIndex, Program, Reference, TileIndex};

use crate::game::ids;
use crate::{ClaimedNodes, MatchState, Phase, Point, Refutation, Seated, Trace, Witness, WitnessSource};

/// The most tiles of one operand that a step may open (PROTOCOL 4.5).
const MAX_TILES: usize = 192;

/// The refutation of the `claimed` trace by the first fault in it, `own` being the right trace of the same input.
///
/// The fault is in the first layer whose leaf differs. There it is the first operator that differs; when that one, or
/// what it reads, is committed by no root, it takes the `signature`: a sub-trace of that very layer (its list's root and the
/// executor's signature), equal to what `claimed` holds. Without that, an exported operator of the layer that reads earlier
/// layers alone may serve.
///
/// `None` when nothing differs under the trace root, when the fault hangs on what was never signed, or when its fold reads
/// more tiles than one step may open: then it takes a match.
#[must_use]
pub fn refutation(
    program: &Program,
    own: &Trace,
    claimed: &Trace,
    signature: Option<(Digest, Vec<u8>)>,
) -> Option<Refutation> {
    let layer = own.first_layer_difference(claimed)?;
    let mut differing = program.layer(layer).operators().map(OperatorIndex).filter(|index| {
        let index = *index;
        own.operator(index) != claimed.operator(index)
    });
    let list = claimed.sub_tree(layer);
    let signature = signature.filter(|(root, _)| *root == list.root());
    let first = differing.next()?;
    let (operator, list) = match (hangs_on_roots(program, first), signature) {
        (true, _) => (first, None),
        (false, Some(signature)) => (first, Some(signature)),
        // Its operands are earlier layers' exports, equal to one's own: so it is wrong by itself, whatever came before.
        (false, None) => (differing.find(|index| hangs_on_roots(program, *index))?, None),
    };
    let (tile, element) = first_element(program, operator, own, claimed)?;
    Some(prove(program, claimed, layer, operator, tile, element, list)).filter(is_openable)
}

/// Whether the trace root commits to the operator's output and to all that it reads.
fn hangs_on_roots(program: &Program, operator: OperatorIndex) -> bool {
    let (layer, position) = program.layer_of(operator);
    let mut sources = program.operator(operator).sources();
    let local = |source| matches!(program.reference(operator, source), Reference::Local { .. });
    program.layer(layer).is_exported(position) && !sources.any(local)
}

/// The first tile of `operator`'s output that differs, and the first element in it, padding included.
fn first_element(
    program: &Program,
    operator: OperatorIndex,
    own: &Trace,
    claimed: &Trace,
) -> Option<(u32, u8)> {
    let (own, claimed) = (own.operator(operator), claimed.operator(operator));
    let byte = (0..own.len().max(claimed.len())).find(|at| own.get(*at) != claimed.get(*at))?;
    let element = byte % TILE_BYTES / program.operator(operator).dtype.bytes();
    Some((u32::try_from(byte / TILE_BYTES).ok()?, u8::try_from(element).ok()?))
}

/// All that PROTOCOL 4.6 asks for about one element of the claimed trace.
fn prove(
    program: &Program,
    claimed: &Trace,
    layer_index: LayerIndex,
    operator: OperatorIndex,
    tile: u32,
    element: u8,
    list: Option<(Digest, Vec<u8>)>,
) -> Refutation {
    let layer = program.layer(layer_index);
    let (_, position) = program.layer_of(operator);
    let exported = layer.is_exported(position);
    let trace_path = if exported { claimed.tree().path(layer_index.0.into()) } else { Vec::new() };
    let roots = || layer.exported().map(|index| claimed.operator_root(index)).collect::<Vec<TensorRoot>>();
    let exports = if exported && layer.exports.len() > 1 { roots() } else { Vec::new() };
    let list_path = if exported { Vec::new() } else { claimed.sub_tree(layer_index).path(position.into()) };
    let (list, signature) = list.unwrap_or_default();
    let in_tile = TILE_BYTES / program.operator(operator).dtype.bytes();
    let index = u64::from(tile) * in_tile as u64 + u64::from(element);
    let nodes = ClaimedNodes::default();
    let source = WitnessSource { program, trace: claimed, claimed: &nodes, list: None };
    let real = index < program.operator(operator).elements();
    Refutation {
        layer_index: layer_index.0,
        layer: layer.head(),
        layer_path: program.layers_tree().path(layer_index.0.into()),
        operator: program.operator_bytes(operator),
        position: position.into(),
        operator_path: program.operators_tree(layer_index).path(position.into()),
        trace_path,
        exports,
        list,
        list_path,
        signature,
        tile_index: tile,
        tile: tile_at(claimed.operator(operator), tile.into()).to_vec(),
        tile_path: claimed.operator_tree(operator).path(tile.into()),
        element,
        // Padding refutes by itself.
        witness: if real { source.witness(operator, index, None) } else { Witness::default() },
    }
}

fn is_openable(refutation: &Refutation) -> bool {
    let witness = &refutation.witness;
    [&witness.a, &witness.b, &witness.params, &witness.third]
        .iter()
        .all(|opened| opened.indices.len() <= MAX_TILES)
}

/// What one's own trace says of an element: the point that a verdict about it stores.
///
/// # Panics
/// When there is no such operator or element.
#[must_use]
pub fn point(program: &Program, own: &Trace, operator: OperatorIndex, element: ElementIndex) -> Point {
    let parts = program.operator(operator);
    let value = parts.dtype.read(own.operator(operator), element.0 as usize).expect("the element exists");
    let at = element.0 as usize * parts.dtype.bytes();
    let first = at - at % TILE_BYTES;
    Point {
        operator: operator.0,
        depth: own.operator_tree(operator).depth() as u8,
        element_bytes: parts.dtype.bytes() as u8,
        element: element.0,
        value: i32::try_from(value).expect("elements have at most 4 bytes"),
        before: keccak(&own.operator(operator)[first..at]),
    }
}

/// The point that has this `hash`, by one's own trace, among the elements of `operators`: a verdict announces the hash alone.
///
/// It tries element after element; `None` when none fits, or there are no such operators.
#[must_use]
pub fn find_point(
    program: &Program,
    own: &Trace,
    operators: impl IntoIterator<Item = OperatorIndex>,
    hash: Digest,
) -> Option<Point> {
    let known = |index: &OperatorIndex| (index.0 as usize) < program.operators().len();
    operators.into_iter().filter(known).find_map(|operator| {
        let elements = u32::try_from(program.operator(operator).elements()).ok()?;
        let mut points = (0..elements).map(|e| point(program, own, operator, ElementIndex(e)));
        points.find(|point| ids::point(point) == hash)
    })
}

/// What opens one's commitment at an element (`Call::OpenReward`): the point, the tile that holds the element in one's own
/// trace, and its path: first up to the operator's output root, then from there up to the own root.
///
/// # Panics
/// When there is no such operator or element.
#[must_use]
pub fn reward_opening(
    program: &Program,
    own: &Trace,
    operator: OperatorIndex,
    element: ElementIndex,
) -> (Point, Vec<u8>, Vec<Digest>) {
    let point = point(program, own, operator, element);
    let tile = element.0 / (TILE_BYTES as u32 / u32::from(point.element_bytes));
    let mut path = own.operator_tree(operator).path(tile.into());
    path.extend(own.own_tree().path(operator.0.into()));
    (point, own.tile(operator, TileIndex(tile)).to_vec(), path)
}

/// The state of a bare commitment (`Call::Commit`), which no event follows: word 14 alone, and the seat.
#[must_use]
pub fn committed_state(seated: &Seated) -> MatchState {
    let Seated { challenger, seat } = *seated;
    MatchState { challenger, seat: ids::seat(&seat), ..MatchState::idle(Phase::Committed) }
}

#[cfg(test)]
mod tests;
