// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Game} from "../sol/Game.sol";
import {IGame} from "../sol/IGame.sol";
import {Referee} from "../sol/Referee.sol";
import {Registry} from "../sol/Registry.sol";
import {Base} from "./Base.sol";
import {Model, Op} from "./Model.sol";
import {Naive} from "./Naive.sol";
import {Opened, Witness, Packed} from "./Packed.sol";

/// Programs, claims and both sides' moves, each a transaction whose gas is added up: 128 layers of one operator, four
/// levels a reveal, an output and an activation of 2^14 tiles each.
abstract contract Priced is Base {
    event log(string line);

    /// What is measured: the operator's K, its segments, the width of a, whether the claim is wrong where the witness is
    /// about, and how many in 256 bytes of the tensors are zero.
    struct Shape {
        uint256 k;
        uint256 split;
        uint8 aType;
        bool lies;
        uint256 zeros;
        /// Whether the layer has 32 operators, of which the last is exported, or one.
        bool grouped;
    }

    Shape internal shape;

    uint256 internal constant LAYERS = 128;
    uint256 internal constant LAYER = 100;
    uint256 internal constant LAYER_A = 57;
    uint256 internal constant TILE = 0x2a59;
    uint256 internal constant EXECUTOR_KEY = 0xe0;
    address internal constant CHALLENGER = 0x1003CaFe1003CAFe1003cAFe1003CafE1003cAFe;

    Game internal game;
    IGame.Posted internal posted;
    IGame.Footing internal footing;
    bytes32 internal scope;
    bytes32 internal list;
    IGame.Seat internal seat;
    bytes32 internal claimId;
    bytes32 internal operatorsLeaf;
    bytes internal operator;
    bytes internal head;
    bytes32[] internal operatorLeaves;
    bytes32[] internal roots;
    bytes32[] internal layersPath;
    bytes32[] internal traceLeaves;
    bytes32[] internal tilePath;
    bytes internal tiles;
    bytes32[] internal levels6;
    bytes32[] internal levels10;
    bytes32[] internal levels14;
    Witness internal witness;
    uint256 internal e;
    int256 internal right;
    uint256 internal spent;
    uint256 internal total;

    function op() internal view returns (Op memory o) {
        (uint256 k, uint256 split, uint8 aType) = (shape.k, shape.split, shape.aType);
        (o.fold, o.outType, o.aType, o.bType, o.aKind, o.bKind) = (1, 1, aType, 1, 2, 1);
        // 2^21 bytes of output, 2^21 of activations, weights of 256 columns.
        uint256 rows = (1 << 21) / k / aType;
        uint256 columns = (1 << 21) / rows;
        o.depths = [14, 14, uint8(Naive.tensorDepth(columns * k / 128)), uint8(Naive.tensorDepth(columns / 8))];
        (o.aIndex, o.aExports, o.bIndex, o.params, o.split) = (uint32(LAYER_A), 1, 7, 8, uint32(split));
        o.out = [uint32(1), 1, uint32(rows), uint32(columns)];
        o.red = [uint32(1), 1, uint32(k)];
        o.a = [uint32(0), 0, 0, uint32(k), 0, 0, 0, 1];
        o.b = [uint32(0), 0, 0, 0, uint32(k), 0, 0, 1];
        o.p = [uint32(0), 0, 0, 1];
        (o.lo, o.hi) = (-128, 127);
    }

    function random(uint256 seed, uint256 count) internal pure returns (bytes32[] memory all) {
        all = new bytes32[](count);
        for (uint256 i; i < count; ++i) all[i] = keccak256(abi.encode(seed, i));
    }

    /// Noise without zero bytes, but for so many in 256.
    function dense(uint256 seed, uint256 length, uint256 none) internal pure returns (bytes memory data) {
        data = noise(seed, length);
        bytes memory which = noise(~seed, length);
        for (uint256 i; i < length; ++i) {
            if (uint8(which[i]) < none) data[i] = 0;
            else if (data[i] == 0) data[i] = 0x11;
        }
    }

    function build(Shape memory shape_) internal {
        shape = shape_;
        Registry registry = new Registry();
        game = new Game(registry, new Referee(), params());
        posted.executor = vm.addr(EXECUTOR_KEY);
        e = TILE * 128 + 77;
        _operands();
        _tensor();
        _job(registry);
    }

    function params() internal pure returns (IGame.Parameters memory) {
        return IGame.Parameters(1000, 100, 200, 10, 20, 60, 60, 12, 60_000_000, 1 ether, 50 gwei, 0.01 ether, 1e13, 1 ether);
    }

    /// The tensor in which `data` stands at tile `index` of 2^depth, everything else made up; of `data` the tiles from … to
    /// are opened.
    function _opened(bytes memory data, uint256 index, uint256 depth, uint256 from, uint256 to, uint256 seed)
        private
        pure
        returns (Opened memory o, bytes32 root)
    {
        uint256 before = index % 4;
        // Four at least: beside fewer stand others.
        if (data.length < 512) data = bytes.concat(dense(~seed, before * 128, 0), data);
        else assert(before == 0);
        if (data.length < 512) data = bytes.concat(data, dense(~seed, 512 - data.length, 0));
        uint256 local = Naive.tensorDepth(data.length / 128);
        bytes32[] memory path = random(seed, depth - local);
        bool[] memory known = new bool[](data.length / 128);
        for (uint256 i = from; i < to; ++i) known[before + i] = true;
        o = Naive.open(data, known, new bytes32[](0));
        bytes memory indices;
        for (uint256 i = from; i < to; ++i) indices = bytes.concat(indices, bytes4(uint32(index + i)));
        o.indices = indices;
        bytes32[] memory proof = new bytes32[](o.proof.length + path.length);
        for (uint256 i; i < proof.length; ++i) proof[i] = i < o.proof.length ? o.proof[i] : path[i - o.proof.length];
        o.proof = proof;
        root = Naive.climb(index >> local, Naive.tensorRoot(Naive.leavesOf(data)), path);
    }

    function _operands() private {
        Op memory o = op();
        (uint256 k, uint256 split, uint8 aType) = (shape.k, shape.split, shape.aType);
        uint256 row = e / o.out[3];
        uint256 column = e % o.out[3];
        bytes memory a = dense(1, k * aType, shape.zeros);
        bytes memory b = dense(2, k, shape.zeros);
        bytes memory records = new bytes(0);
        for (uint256 i; i < 8; ++i) {
            records = bytes.concat(records, Model.record(int64(int256(1000 * i)) - 3000, uint32(12345 + i), 25));
        }
        bytes32[3] memory constants;
        uint256 index = row * k * aType / 128;
        uint256 last = k * aType / 128;
        uint256 count = split < k ? split * aType / 128 : last;
        (witness.a, traceRootA) = _opened(a, index, 14, 0, count, 3);
        index = column * k / 128;
        count = split < k ? split / 128 : k / 128;
        (witness.b, constants[1]) = _opened(b, index, o.depths[2], 0, count, 4);
        (witness.params, constants[2]) = _opened(records, column / 8, o.depths[3], 0, 1, 5);
        operator = Model.operatorBytes(o, constants);
        // Of a segment only the first is proved.
        int256 acc = _dot(a, b, k, aType);
        firstSum = _dot(a, b, split < k ? split : k, aType);
        allSum = acc;
        right = Model.finaliseBy(_plain(o), column % 8, acc, records);
    }

    bytes32 internal traceRootA;
    int256 internal firstSum;
    int256 internal allSum;

    function _dot(bytes memory a, bytes memory b, uint256 count, uint8 aType) private pure returns (int256 acc) {
        for (uint256 i; i < count; ++i) acc += Model.valueAt(a, i, aType) * Model.valueAt(b, i, 1);
    }

    /// The record of element i is record i.
    function _plain(Op memory o) private pure returns (Op memory) {
        o.out = [uint32(1), 1, 1, 1 << 30];
        return o;
    }

    /// The claimed output, of which the witness is about one element.
    function _tensor() private {
        bytes memory data = dense(6, 512, shape.zeros);
        uint256 slot = TILE % 4;
        Model.put(data, slot * 128 + 77, 1, shape.lies ? right ^ 1 : right);
        tiles = data;
        bytes32 node = Naive.tensorRoot(Naive.leavesOf(data));
        levels6 = random(7, 16);
        levels6[(TILE >> 2) % 16] = node;
        node = Naive.node(levels6, 4, 0);
        levels10 = random(8, 16);
        levels10[(TILE >> 6) % 16] = node;
        node = Naive.node(levels10, 4, 0);
        levels14 = random(9, 16);
        levels14[TILE >> 10] = node;
        traceLeaves = random(10, LAYERS);
        traceLeaves[LAYER] = Naive.node(levels14, 4, 0);
        traceLeaves[LAYER_A] = traceRootA;
        bytes32[] memory whole = new bytes32[](15);
        bytes32[] memory part = Naive.tilePath(Naive.leavesOf(data), slot);
        for (uint256 i; i < 3; ++i) whole[i] = part[i];
        part = Naive.path(levels6, (TILE >> 2) % 16);
        for (uint256 i; i < 4; ++i) whole[3 + i] = part[i];
        part = Naive.path(levels10, (TILE >> 6) % 16);
        for (uint256 i; i < 4; ++i) whole[7 + i] = part[i];
        part = Naive.path(levels14, TILE >> 10);
        for (uint256 i; i < 4; ++i) whole[11 + i] = part[i];
        tilePath = whole;
    }

    function _job(Registry registry) private {
        uint8[] memory positions = new uint8[](1);
        uint256 count = shape.grouped ? 32 : 1;
        positions[0] = uint8(count - 1);
        head = Model.head(LAYER, count, positions);
        operatorsLeaf = Model.operatorLeaf(operator);
        operatorLeaves = random(14, count);
        operatorLeaves[count - 1] = operatorsLeaf;
        roots = random(15, count);
        roots[count - 1] = traceLeaves[LAYER];
        bytes32[] memory leaves = random(11, LAYERS);
        leaves[LAYER] = Model.layerLeaf(head, Naive.root(operatorLeaves));
        layersPath = Naive.path(leaves, LAYER);
        bytes memory output = dense(12, 10, 0);
        traceLeaves[LAYERS - 1] = Naive.tensorRoot(Naive.leavesOf(output));
        witness.a.rootPath = Naive.path(traceLeaves, LAYER_A);
        bytes memory header = abi.encodePacked(uint32(4), uint32(LAYERS), uint32(LAYERS), uint8(1), uint8(1), uint8(4));
        header = abi.encodePacked(header, uint8(14), uint32(3072), uint32(10), uint64(3 << 30), keccak256("meta"));
        bytes memory call = abi.encodeCall(Registry.register, (header, Naive.root(leaves)));
        bytes32 program = abi.decode(send("register", address(this), address(registry), 0, call), (bytes32));
        bytes memory input = dense(13, 3072, 0);
        call = abi.encodeCall(game.postJob, (program, input, 0, uint64(vm.getBlockTimestamp() + 100_000)));
        posted.jobId = abi.decode(send("postJob, 3 kB", address(this), address(game), 1 ether, call), (bytes32));
        posted.traceRoot = Naive.root(traceLeaves);
        posted.outputRoot = traceLeaves[LAYERS - 1];
        bytes32 salt = keccak256("salt");
        bytes32 commitment =
            keccak256(abi.encode(salt, posted.executor, posted.jobId, posted.traceRoot, posted.outputRoot));
        uint64 now_ = uint64(vm.getBlockTimestamp());
        call = abi.encodeCall(game.commitClaim, (posted.jobId, commitment));
        send("commitClaim", posted.executor, address(game), 1 ether + 3e13, call);
        vm.warp(now_ + 12);
        bytes32[] memory path = Naive.path(traceLeaves, LAYERS - 1);
        call = abi.encodeCall(game.postClaim, (posted.jobId, 0, now_, salt, posted.traceRoot, output, path));
        claimId = abi.decode(send("postClaim", posted.executor, address(game), 0, call), (bytes32));
    }

    function send(string memory what, address from, address to, uint256 value, bytes memory call)
        internal
        returns (bytes memory answer)
    {
        vm.deal(from, 1000 ether);
        vm.recordLogs();
        vm.prank(from);
        bool done;
        (done, answer) = to.call{value: value}(call);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
        uint256 floor = 21_000;
        for (uint256 i; i < call.length; ++i) floor += call[i] == 0 ? 10 : 40;
        uint256 used = vm.lastCallGas().gasTotalUsed;
        spent = used > floor ? used : floor;
        total += spent;
        string memory parts = string.concat(" gas (executed ", vm.toString(used), ", floor ", vm.toString(floor), ") ");
        emit log(string.concat(vm.toString(spent), parts, what));
    }

    /// The word after the move, which its event gives.
    function follow() internal {
        footing.word = uint256(bytes32(vm.getRecordedLogs()[0].data));
    }

    function open() internal {
        total = 0;
        uint256 bond = 2 * (5 * (50_000 + 1_600 * 16) + 300_000) * 50 gwei + 0.01 ether;
        seat = IGame.Seat(keccak256("commitment"), uint64(vm.getBlockTimestamp()), uint128(bond));
        bytes memory call = abi.encodeCall(game.open, (posted, seat.commitment));
        send("open", CHALLENGER, address(game), bond, call);
        holds(spent <= 64_000, "open");
        // phase LAYER_E, 7 levels, clocks
        footing.word = 1 | 7 << 8 | vm.getBlockTimestamp() << 72 | uint256(100) << 112 | uint256(200) << 144;
        footing.word |= LAYERS << 200 | 4 << 232;
        list = 0;
        scope = game.registry().layersRootOf(game.job(posted.jobId).programRoot);
    }

    function seatHash() internal view returns (bytes32) {
        return keccak256(abi.encode(seat));
    }

    function ground() private view returns (bytes32) {
        return keccak256(abi.encode(scope, list, seatHash()));
    }

    /// What reveals, picks inside a tree, and the moves whose evidence gives the scope carry.
    function shown() private returns (IGame.Footing memory) {
        footing.rest = keccak256(abi.encode(CHALLENGER, ground()));
        return footing;
    }

    function picked() private returns (IGame.Footing memory) {
        footing.rest = ground();
        return footing;
    }

    function seated() internal returns (IGame.Footing memory) {
        footing.rest = seatHash();
        return footing;
    }

    function reveal(bytes32[] memory nodes) internal {
        vm.warp(vm.getBlockTimestamp() + 12);
        bytes memory call = abi.encodeCall(game.reveal, (claimId, 0, shown(), nodes));
        send("reveal", posted.executor, address(game), 0, call);
        holds(spent <= 50_000, "reveal");
        follow();
    }

    function pickOne(bytes32[] memory nodes, uint256 child, bool entering) internal {
        vm.warp(vm.getBlockTimestamp() + 12);
        bytes32[] memory siblings = Naive.path(nodes, child);
        bytes memory call = entering
            ? abi.encodeCall(
                game.enter,
                (claimId, 0, seated(), uint32(child), nodes[child], siblings, head, _entered(), layersPath)
            )
            : abi.encodeCall(game.pick, (claimId, 0, picked(), uint32(child), nodes[child], siblings));
        send(entering ? "pick, entering a layer" : "pick", CHALLENGER, address(game), 0, call);
        holds(spent <= (entering ? 53_000 : 50_000), "pick");
        follow();
        if (!entering) return;
        scope = shape.grouped ? Model.layerLeaf(head, Naive.root(operatorLeaves)) : operatorsLeaf;
        if (shape.grouped) _sub();
    }

    function _entered() private view returns (bytes memory) {
        return shape.grouped ? abi.encodePacked(Naive.root(operatorLeaves)) : operator;
    }

    /// The sub-trace, and the pick of its last operator.
    function _sub() private {
        bytes memory layer = bytes.concat(head, Naive.root(operatorLeaves));
        bytes memory call = abi.encodeCall(game.subTrace, (posted, 0, seated(), CHALLENGER, layer, roots, ""));
        send("subTrace, 32 roots", posted.executor, address(game), 0, call);
        holds(spent <= 75_000, "sub-trace");
        follow();
        list = Naive.root(roots);
        bytes32[] memory path = Naive.path(operatorLeaves, 31);
        bytes32[] memory under = Naive.path(roots, 31);
        call = abi.encodeCall(
            game.pickOperator, (claimId, 0, seated(), 31, layer, operator, path, roots[31], under)
        );
        send("pickOperator", CHALLENGER, address(game), 0, call);
        holds(spent <= 60_000, "pick of an operator");
        follow();
        scope = operatorsLeaf;
    }

    /// From the opening to the tiles: twelve moves.
    function walk() internal {
        open();
        bytes32[] memory top = Naive.descendants(traceLeaves, 7, 0, 4);
        bytes32[] memory low = Naive.descendants(traceLeaves, 3, LAYER >> 3, 3);
        reveal(top);
        pickOne(top, LAYER >> 3, false);
        reveal(low);
        pickOne(low, LAYER % 8, true);
        reveal(levels14);
        pickOne(levels14, TILE >> 10, false);
        reveal(levels10);
        pickOne(levels10, (TILE >> 6) % 16, false);
        reveal(levels6);
        pickOne(levels6, (TILE >> 2) % 16, false);
        vm.warp(vm.getBlockTimestamp() + 12);
        bytes memory call = abi.encodeCall(game.revealTiles, (claimId, 0, shown(), tiles));
        send("revealTiles", posted.executor, address(game), 0, call);
        holds(spent <= 50_500, "tiles");
        follow();
    }

    function name(uint8 element, Witness memory w) internal {
        vm.warp(vm.getBlockTimestamp() + 12);
        bytes memory all = tiles;
        bytes memory tile = Naive.tileAt(all, TILE % 4);
        bytes32[] memory siblings = new bytes32[](3);
        for (uint256 i; i < 3; ++i) siblings[i] = tilePath[i];
        bytes memory call = abi.encodeCall(
            game.name, (posted, 0, seated(), list, tile, uint8(TILE % 4), siblings, element, operator, Packed.all(w))
        );
        send(shape.k <= shape.split ? "name, with the step" : "name", CHALLENGER, address(game), 0, call);
    }

    function refute() internal {
        vm.warp(vm.getBlockTimestamp() + 12);
        bytes32[] memory none;
        IGame.Refutation memory r = IGame.Refutation({
            layerIndex: uint32(LAYER),
            layer: head,
            layerPath: layersPath,
            operator: operator,
            position: 0,
            operatorPath: none,
            tracePath: Naive.path(traceLeaves, LAYER),
            exports: none,
            list: 0,
            listPath: none,
            signature: "",
            tileIndex: uint32(TILE),
            tile: Naive.tileAt(tiles, TILE % 4),
            tilePath: tilePath,
            element: 77,
            witness: Packed.all(witness)
        });
        send("refute", CHALLENGER, address(game), 0, abi.encodeCall(game.refute, (posted, r)));
    }

    function status() internal view returns (IGame.Status) {
        return game.claim(claimId).status;
    }
}
