// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Game} from "../sol/Game.sol";
import {IGame} from "../sol/IGame.sol";
import {MatchWord, Phase} from "../sol/MatchWord.sol";
import {Referee} from "../sol/Referee.sol";
import {Registry} from "../sol/Registry.sol";
import {Base} from "./Base.sol";
import {Model, Op, Window} from "./Model.sol";
import {Naive} from "./Naive.sol";

/// A small program, an executor that says of its trace what a test wants, and both sides' moves.
///
/// Layer 0: dot, i8 x i8 -> i16, 160 elements (3 tiles, so one padding tile), K = 100 in 3 segments.
/// Layer 1: max over a padded 3 x 3 window with stride 2 of the first 40 elements of layer 0, 12 elements of i8.
/// Layer 2: pair of layer 0 and the input, 80 elements of i32 (3 tiles). Three layers: one padding layer.
abstract contract Fixture is Base {
    uint256 internal constant LAYERS = 3;
    uint256 internal constant TIME = 1_700_000_000;

    address internal constant REQUESTER = address(0x1001);
    address internal constant EXECUTOR = address(0x1002);
    address internal constant CHALLENGER = address(0x1003);
    address internal constant STRANGER = address(0x1004);

    Registry internal registry;
    Game internal game;
    bytes32 internal programRoot;
    bytes32 internal jobId;

    bytes internal input;
    bytes[4] internal constants;
    /// What the layers output, and what the executor says that they do.
    bytes[3] internal truth;
    bytes[3] internal said;
    /// A lie about the padding leaf of the trace, or of layer 0's tensor; 0 for none.
    bytes32 internal layerLie;
    bytes32 internal tileLie;

    function revealBits() internal pure virtual returns (uint8) {
        return 1;
    }

    function setUp() public virtual {
        vm.warp(TIME);
        registry = new Registry();
        game = new Game(registry, new Referee(), params());
        input = noise(1, 160);
        constants[0] = noise(2, 4000);
        for (uint256 i; i < 40; ++i) {
            constants[1] = bytes.concat(constants[1], Model.record(int64(int256(i * 37)) - 700, uint32(3 + i), 7));
            constants[3] = bytes.concat(constants[3], Model.record(5 - int64(int256(i)), uint32(1 + i), 1));
        }
        constants[2] = Model.record(0, 1, 5);
        for (uint256 i; i < LAYERS; ++i) truth[i] = _run(i);
        register();
        jobId = postJob(1 ether, uint64(TIME + 100_000));
        tellTruth();
        address[4] memory rich = [REQUESTER, EXECUTOR, CHALLENGER, STRANGER];
        for (uint256 i; i < 4; ++i) vm.deal(rich[i], 1000 ether);
    }

    function params() internal pure returns (IGame.Parameters memory) {
        return IGame.Parameters(1000, 100, 200, 10, 20, 1 ether + 1, 0.1 ether + 1);
    }

    // The program.

    function op(uint256 layer) internal pure returns (Op memory o) {
        if (layer == 0) {
            (o.fold, o.outType, o.aType, o.bType, o.aKind, o.bKind) = (1, 2, 1, 1, 0, 1);
            o.depths = [2, 1, 5, 3];
            (o.aIndex, o.bIndex, o.params, o.split) = (0, 0, 1, 40);
            o.out = [uint32(1), 1, 4, 40];
            o.red = [uint32(1), 1, 100];
            o.a = [uint32(0), 0, 0, 20, 0, 0, 0, 1];
            o.b = [uint32(0), 0, 0, 0, 100, 0, 0, 1];
            o.p = [uint32(0), 0, 0, 1];
            (o.lo, o.hi) = (-32768, 32767);
        } else if (layer == 1) {
            (o.fold, o.outType, o.aType, o.aKind) = (3, 1, 2, 2);
            o.depths = [0, 2, 0, 0];
            (o.params, o.split) = (2, 9);
            o.out = [uint32(3), 4, 1, 1];
            o.red = [uint32(3), 3, 1];
            o.pad = -32768;
            o.windows[0] = Window(5, 8, 2, 1, 1);
            o.windows[1] = Window(8, 1, 2, 1, 1);
            (o.lo, o.hi) = (-128, 127);
        } else {
            (o.fold, o.outType, o.aType, o.bType, o.aKind, o.bKind) = (4, 3, 2, 1, 2, 0);
            o.depths = [2, 2, 1, 3];
            (o.params, o.split) = (3, 1);
            o.out = [uint32(1), 1, 2, 40];
            o.red = [uint32(1), 1, 1];
            o.a = [uint32(0), 0, 0, 0, 1, 0, 0, 0];
            o.b = [uint32(7), 0, 0, 40, 1, 0, 0, 0];
            o.p = [uint32(0), 0, 0, 1];
            (o.scaleA, o.scaleB) = (3, -5);
            (o.lo, o.hi) = (type(int32).min, type(int32).max);
        }
    }

    function register() internal {
        bytes memory header = abi.encodePacked(uint32(1), uint32(LAYERS), uint32(4), uint8(1), uint8(3));
        header = abi.encodePacked(header, revealBits(), uint8(2), uint32(160), uint32(80), uint64(0), keccak256("meta"));
        programRoot = registry.register(header, Naive.root(descriptorLeaves()), Naive.root(constantLeaves()));
    }

    function descriptorLeaves() internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](LAYERS);
        for (uint256 i; i < LAYERS; ++i) leaves[i] = Model.layerLeaf(Model.descriptor(op(i)), i);
    }

    function constantLeaves() internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](4);
        for (uint256 i; i < 4; ++i) leaves[i] = Naive.root(Naive.leavesOf(constants[i]));
    }

    function _run(uint256 layer) private view returns (bytes memory out) {
        Op memory o = op(layer);
        bytes memory a = o.aKind == 0 ? input : truth[o.aIndex];
        bytes memory b = o.bType == 0 ? bytes("") : o.bKind == 0 ? input : constants[o.bIndex];
        bytes memory records = constants[o.params];
        out = new bytes(Model.elements(o) * Model.size(o.outType));
        for (uint256 e; e < Model.elements(o); ++e) {
            int256 acc = Model.fold(o, e, 0, Model.terms(o), a, b);
            Model.put(out, e, o.outType, Model.finaliseBy(o, e, acc, records));
        }
    }

    // What the executor says.

    function tellTruth() internal {
        for (uint256 i; i < LAYERS; ++i) said[i] = truth[i];
    }

    /// Says another value of one element; of padding too.
    function lie(uint256 layer, uint256 element) internal {
        uint256 size = Model.size(op(layer).outType);
        bytes memory data = said[layer];
        if (element * size >= data.length) data = bytes.concat(data, new bytes((element + 1) * size - data.length));
        data[element * size] ^= 0x01;
        said[layer] = data;
    }

    function tileLeaves(uint256 layer) internal view returns (bytes32[] memory leaves) {
        leaves = Naive.leavesOf(said[layer]);
        if (layer == 0 && tileLie != 0) leaves = _append(leaves, tileLie);
    }

    function layerLeaves() internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](LAYERS);
        for (uint256 i; i < LAYERS; ++i) leaves[i] = Naive.root(tileLeaves(i));
        if (layerLie != 0) leaves = _append(leaves, layerLie);
    }

    function _append(bytes32[] memory leaves, bytes32 leaf) private pure returns (bytes32[] memory more) {
        more = new bytes32[](leaves.length + 1);
        for (uint256 i; i < leaves.length; ++i) more[i] = leaves[i];
        more[leaves.length] = leaf;
    }

    // Moves. Each is followed by a look at the money.

    function postJob(uint256 fee, uint64 deadline) internal returns (bytes32 id) {
        vm.deal(REQUESTER, 1000 ether);
        vm.prank(REQUESTER);
        id = game.postJob{value: fee}(programRoot, input, bytes32(fee), deadline);
        conserved();
    }

    function postClaim() internal returns (bytes32 id) {
        bytes32[] memory leaves = layerLeaves();
        bytes memory output = said[LAYERS - 1];
        bytes32 root = Naive.root(leaves);
        bytes32[] memory path = Naive.path(leaves, LAYERS - 1);
        vm.prank(EXECUTOR);
        id = game.postClaim{value: params().executorBond}(jobId, root, output, path);
        conserved();
    }

    function open(bytes32 claimId) internal returns (bytes32 id) {
        vm.prank(CHALLENGER);
        id = game.open{value: params().challengerBond}(claimId, 0);
        conserved();
    }

    function reveal(bytes32 id) internal {
        bytes32 s = state(id);
        bytes32[] memory nodes = children(id);
        vm.prank(EXECUTOR);
        game.reveal(id, s, nodes);
        conserved();
    }

    /// Picks on the way to tile `tile` of layer `layer`.
    function pickTowards(bytes32 id, uint256 layer, uint256 tile) internal {
        MatchWord w = word(id);
        uint256 left = w.remaining() - _bits(w);
        bool layers = w.phase() <= Phase.LAYER_C;
        uint256 child = ((layers ? layer : tile) >> left) & ((1 << _bits(w)) - 1);
        bool leaf = layers && left == 0 && layer < LAYERS;
        bytes memory d = leaf ? Model.descriptor(op(layer)) : bytes("");
        bytes32[] memory path = leaf ? Naive.path(descriptorLeaves(), layer) : new bytes32[](0);
        bytes32 s = state(id);
        bytes32[] memory nodes = children(id);
        vm.prank(CHALLENGER);
        game.pick(id, s, nodes, uint32(child), d, path);
        conserved();
    }

    /// Reveals and picks until a tile is on the table.
    function walk(bytes32 id, uint256 layer, uint256 tile) internal {
        while (phase(id) < Phase.DATA_E) {
            if (word(id).executorsTurn()) reveal(id);
            else pickTowards(id, layer, tile);
        }
    }

    function revealTile(bytes32 id) internal {
        bytes32 s = state(id);
        bytes memory tile = tileOf(id);
        vm.prank(EXECUTOR);
        game.revealTile(id, s, tile);
        conserved();
    }

    function name(bytes32 id, uint256 element) internal {
        _name(id, element, 0);
    }

    function nameRefused(bytes32 id, uint256 element, bytes4 refusal) internal {
        _name(id, element, refusal);
    }

    function _name(bytes32 id, uint256 element, bytes4 refusal) private {
        uint256 layer = word(id).layer();
        IGame.Witness memory w;
        uint256 e = word(id).position() * (128 / Model.size(op(layer).outType)) + element;
        if (Model.terms(op(layer)) <= op(layer).split && e < Model.elements(op(layer))) w = witness(layer, e);
        sendName(id, element, w, refusal);
    }

    function sendName(bytes32 id, uint256 element, IGame.Witness memory w, bytes4 refusal) internal {
        bytes memory d = Model.descriptor(op(word(id).layer()));
        bytes32 s = state(id);
        bytes memory tile = tileOf(id);
        if (refusal != 0) vm.expectRevert(refusal);
        vm.prank(CHALLENGER);
        game.name(id, s, tile, uint8(element), d, w);
        conserved();
    }

    function fold(bytes32 id, int64[] memory sums, bytes4 refusal) internal {
        uint256 layer = word(id).layer();
        bytes memory d = Model.descriptor(op(layer));
        IGame.Opened memory record = recordOf(layer, named(id));
        bytes32 s = state(id);
        bytes memory packed = pack(sums);
        if (refusal != 0) vm.expectRevert(refusal);
        vm.prank(EXECUTOR);
        game.fold(id, s, d, packed, record);
        conserved();
    }

    function segment(bytes32 id, int64[] memory sums, uint256 index) internal {
        uint256 layer = word(id).layer();
        IGame.Witness memory w = witness(layer, named(id), index * op(layer).split, (index + 1) * op(layer).split);
        bytes memory d = Model.descriptor(op(layer));
        bytes32 s = state(id);
        bytes memory packed = pack(sums);
        vm.prank(CHALLENGER);
        game.segment(id, s, d, packed, uint32(index), w);
        conserved();
    }

    function conserved() internal view {
        same(address(game).balance, game.locked() + game.burned(), "balance = locked + burned");
    }

    function wait(uint256 time) internal {
        vm.warp(vm.getBlockTimestamp() + time);
    }

    // What stands.

    function word(bytes32 id) internal view returns (MatchWord) {
        return MatchWord.wrap(game.matchOf(id).word);
    }

    function phase(bytes32 id) internal view returns (uint8) {
        return word(id).phase();
    }

    function state(bytes32 id) internal view returns (bytes32) {
        IGame.Match memory m = game.matchOf(id);
        return keccak256(abi.encode(id, m.word, m.node, m.operator));
    }

    function children(bytes32 id) internal view returns (bytes32[] memory) {
        MatchWord w = word(id);
        bytes32[] memory leaves = w.phase() <= Phase.LAYER_C ? layerLeaves() : tileLeaves(w.layer());
        return Naive.descendants(leaves, w.remaining(), w.position(), _bits(w));
    }

    function tileOf(bytes32 id) internal view returns (bytes memory) {
        return Naive.tileAt(said[word(id).layer()], word(id).position());
    }

    /// The index in its tensor of the element that was named.
    function named(bytes32 id) internal view returns (uint256) {
        MatchWord w = word(id);
        return w.position() * (128 / Model.size(op(w.layer()).outType)) + w.element();
    }

    /// The true partial values.
    function sumsOf(uint256 layer, uint256 e) internal view returns (int64[] memory sums) {
        Op memory o = op(layer);
        uint256 k = Model.terms(o);
        sums = new int64[]((k + o.split - 1) / o.split);
        for (uint256 i; i < sums.length; ++i) {
            uint256 end = (i + 1) * o.split < k ? (i + 1) * o.split : k;
            sums[i] = int64(Model.fold(o, e, i * o.split, end, _operand(o.aKind, o.aIndex), _operand(o.bKind, o.bIndex)));
        }
    }

    /// Partial values of layer 0's element `e`, of which that of segment `index` is moved until they lead to what was said.
    function liar(uint256 e, uint256 index) internal view returns (int64[] memory sums) {
        sums = sumsOf(0, e);
        sums[index] -= 200;
        for (uint256 i; i < 400; ++i) {
            int256 acc = int256(sums[0]) + sums[1] + sums[2];
            if (Model.finaliseBy(op(0), e, acc, constants[1]) == Model.valueAt(said[0], e, 2)) return sums;
            ++sums[index];
        }
        revert NotTrue("a lie is one step away");
    }

    function pack(int64[] memory sums) internal pure returns (bytes memory packed) {
        for (uint256 i; i < sums.length; ++i) packed = bytes.concat(packed, bytes8(uint64(sums[i])));
    }

    function witness(uint256 layer, uint256 e) internal view returns (IGame.Witness memory w) {
        w = witness(layer, e, 0, Model.terms(op(layer)));
        w.params = recordOf(layer, e);
    }

    /// What the terms from … to of an element need, from what the executor said; without record.
    function witness(uint256 layer, uint256 e, uint256 from, uint256 to) internal view returns (IGame.Witness memory w) {
        Op memory o = op(layer);
        if (to > Model.terms(o)) to = Model.terms(o);
        bytes memory a = _operand(o.aKind, o.aIndex);
        bytes memory b = o.bType == 0 ? bytes("") : _operand(o.bKind, o.bIndex);
        bool[] memory aKnown = new bool[]((a.length + 127) / 128);
        bool[] memory bKnown = new bool[]((b.length + 127) / 128);
        bool any;
        for (uint256 t = from; t < to; ++t) {
            (bool inside, uint256 address_) = Model.aAddress(o, e, t);
            if (inside) aKnown[address_ * Model.size(o.aType) / 128] = any = true;
            if (o.bType != 0) bKnown[Model.bAddress(o, e, t) * Model.size(o.bType) / 128] = true;
        }
        if (!any) aKnown[0] = true;
        w.a = Naive.open(a, aKnown, _rootPath(o.aKind, o.aIndex));
        if (o.bType != 0) w.b = Naive.open(b, bKnown, _rootPath(o.bKind, o.bIndex));
    }

    function recordOf(uint256 layer, uint256 e) internal view returns (IGame.Opened memory) {
        Op memory o = op(layer);
        bytes memory records = constants[o.params];
        bool[] memory known = new bool[]((records.length + 127) / 128);
        known[Model.recordAddress(o, e) * 16 / 128] = true;
        return Naive.open(records, known, _rootPath(1, o.params));
    }

    function _operand(uint8 kind, uint256 index) private view returns (bytes memory) {
        return kind == 0 ? input : kind == 1 ? constants[index] : said[index];
    }

    function _rootPath(uint8 kind, uint256 index) private view returns (bytes32[] memory) {
        if (kind == 0) return new bytes32[](0);
        return Naive.path(kind == 1 ? constantLeaves() : layerLeaves(), index);
    }

    function _bits(MatchWord w) private pure returns (uint256) {
        return w.remaining() < revealBits() ? w.remaining() : revealBits();
    }
}
