// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Game} from "../sol/Game.sol";
import {IGame} from "../sol/IGame.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Referee} from "../sol/Referee.sol";
import {Registry} from "../sol/Registry.sol";
import {Base} from "./Base.sol";
import {Model, Op} from "./Model.sol";
import {Naive} from "./Naive.sol";

/// What whole transactions cost, the calldata floor of EIP-7623 included: 256 layers, a dot of 1,024 i8 x i8 over a
/// weights tree 17 deep and an activation tree 8 deep, four levels a reveal. `forge test --match-contract Gas -vv` prints.
contract GasTest is Base {
    event Spent(string what, uint256 gas, uint256 floor);

    uint256 private constant LAYERS = 256;
    uint256 private constant K = 1024;
    uint256 private constant LAYER = 200;
    uint256 private constant TILE = 137;
    address private constant EXECUTOR = address(0x1002);
    address private constant CHALLENGER = address(0x1003);

    Game private game;
    bytes32 private id;
    bytes private input;
    bytes private d;
    bytes private activations;
    bytes private row;
    bytes32[] private tiles;
    bytes32[] private traceLeaves;
    bytes32[] private constantLeaves;
    bytes32[] private descriptorLeaves;
    bytes32[] private rowPath;
    bytes private record;
    bytes private tile;
    int256 private right;

    function op() private pure returns (Op memory o) {
        (o.fold, o.outType, o.aType, o.bType, o.aKind, o.bKind) = (1, 1, 1, 1, 2, 1);
        o.depths = [8, 8, 17, 0];
        (o.aIndex, o.bIndex, o.params, o.split) = (LAYER_A, 7, 8, uint32(K));
        o.out = [uint32(1), 1, 1, 256 * 128];
        o.red = [uint32(1), 1, uint32(K)];
        o.a = [uint32(0), 0, 0, 0, 0, 0, 0, 1];
        o.b = [uint32(0), 0, 0, 0, 0, 0, 0, 1];
        (o.lo, o.hi) = (-128, 127);
    }

    uint32 private constant LAYER_A = 199;

    function random(uint256 seed, uint256 count) private pure returns (bytes32[] memory all) {
        all = new bytes32[](count);
        for (uint256 i; i < count; ++i) all[i] = keccak256(abi.encode(seed, i));
    }

    function setUp() public {
        d = Model.descriptor(op());
        activations = noise(1, K * 32);
        row = noise(2, K);
        record = Model.record(77, 12345, 25);
        // The row stands in the leftmost 8 tiles of a tree 17 deep, whose other nodes are made up.
        rowPath = random(3, 14);
        bytes32 weights = Naive.root(Naive.leavesOf(row));
        for (uint256 i; i < 14; ++i) weights = Naive.inner(weights, rowPath[i]);
        constantLeaves = random(4, 60);
        constantLeaves[7] = weights;
        constantLeaves[8] = Naive.root(Naive.leavesOf(record));
        descriptorLeaves = random(5, LAYERS);
        descriptorLeaves[LAYER] = Model.layerLeaf(d, LAYER);
        bytes memory disputed = noise(6, 128);
        right = Model.finaliseBy(op(), 0, Model.fold(op(), 0, 0, K, activations, row), record);
        Model.put(disputed, 5, 1, right);
        tile = disputed;
        tiles = random(7, 256);
        tiles[TILE] = Naive.leaf(tile);
        traceLeaves = random(8, LAYERS);
        traceLeaves[LAYER] = Naive.root(tiles);
        traceLeaves[LAYER_A] = Naive.root(Naive.leavesOf(activations));

        Registry registry = new Registry();
        IGame.Parameters memory p = IGame.Parameters(1000, 100, 200, 10, 20, 1 ether, 0.1 ether);
        game = new Game(registry, new Referee(), p);
        input = noise(9, 3072);
        bytes memory output = noise(10, 10);
        traceLeaves[LAYERS - 1] = Naive.root(Naive.leavesOf(output));
        bytes memory header = abi.encodePacked(uint32(1), uint32(LAYERS), uint32(60), uint8(1), uint8(1), uint8(4));
        header = abi.encodePacked(header, uint8(8), uint32(3072), uint32(10), uint64(0), keccak256("meta"));
        bytes memory call = abi.encodeCall(Registry.register, (header, Naive.root(descriptorLeaves), Naive.root(constantLeaves)));
        bytes32 program = abi.decode(send("register", address(this), address(registry), 0, call), (bytes32));
        call = abi.encodeCall(game.postJob, (program, input, 0, uint64(vm.getBlockTimestamp() + 100)));
        bytes32 job = abi.decode(send("postJob, 3 kB", address(this), address(game), 1 ether, call), (bytes32));
        call = abi.encodeCall(game.postClaim, (job, Naive.root(traceLeaves), output, Naive.path(traceLeaves, LAYERS - 1)));
        bytes32 claim = abi.decode(send("postClaim", EXECUTOR, address(game), 1 ether, call), (bytes32));
        id = abi.decode(send("open", CHALLENGER, address(game), 0.1 ether, abi.encodeCall(game.open, (claim, 0))), (bytes32));
    }

    function send(string memory what, address from, address to, uint256 value, bytes memory call)
        private
        returns (bytes memory answer)
    {
        vm.deal(from, 1000 ether);
        vm.prank(from);
        bool done;
        (done, answer) = to.call{value: value}(call);
        holds(done, what);
        uint256 floor = 21_000;
        for (uint256 i; i < call.length; ++i) floor += call[i] == 0 ? 10 : 40;
        uint256 used = vm.lastCallGas().gasTotalUsed;
        spent = used > floor ? used : floor;
        emit Spent(what, used, floor);
    }

    uint256 private spent;

    function state() private view returns (bytes32) {
        IGame.Match memory m = game.matchOf(id);
        return keccak256(abi.encode(id, m.word, m.node, m.operator));
    }

    function round(bytes32[] memory leaves, uint256 goal, uint256 level, bool layers) private {
        bytes32[] memory nodes = Naive.descendants(leaves, level, goal >> level, 4);
        send("reveal", EXECUTOR, address(game), 0, abi.encodeCall(game.reveal, (id, state(), nodes)));
        holds(spent <= 58_000, "reveal");
        bytes32[] memory path;
        bytes memory descriptor;
        bool last = layers && level == 4;
        if (last) (path, descriptor) = (Naive.path(descriptorLeaves, goal), d);
        uint32 child = uint32(goal >> (level - 4)) & 15;
        bytes memory call = abi.encodeCall(game.pick, (id, state(), nodes, child, descriptor, path));
        send(last ? "pick, entering a layer" : "pick", CHALLENGER, address(game), 0, call);
        holds(spent <= (last ? 105_000 : 58_000), "pick");
    }

    function witness() private view returns (IGame.Witness memory w) {
        bool[] memory known = new bool[](256);
        for (uint256 i; i < K / 128; ++i) known[i] = true;
        w.a = Naive.open(activations, known, Naive.path(traceLeaves, LAYER_A));
        w.b = Naive.open(row, _all(8), Naive.path(constantLeaves, 7));
        w.b.root = constantLeaves[7];
        w.b.proof = rowPath;
        w.params = Naive.open(record, _all(1), Naive.path(constantLeaves, 8));
    }

    function _all(uint256 count) private pure returns (bool[] memory known) {
        known = new bool[](count);
        for (uint256 i; i < count; ++i) known[i] = true;
    }

    function play(uint8 element) private {
        round(traceLeaves, LAYER, 8, true);
        round(traceLeaves, LAYER, 4, true);
        round(tiles, TILE, 8, false);
        round(tiles, TILE, 4, false);
        send("revealTile", EXECUTOR, address(game), 0, abi.encodeCall(game.revealTile, (id, state(), tile)));
        bytes memory call = abi.encodeCall(game.name, (id, state(), tile, element, d, witness()));
        send("name, a step of 1,024 terms", CHALLENGER, address(game), 0, call);
        holds(spent <= 240_000, "step");
    }

    function test_gas_of_a_won_match() public {
        uint8 element = right == int8(uint8(tile[6])) ? 7 : 6;
        play(element);
        same(uint8(game.matchOf(id).word), Phase.WON, "won");
    }

    function test_gas_of_a_lost_match() public {
        play(5);
        same(uint8(game.matchOf(id).word), Phase.LOST, "lost");
    }
}
