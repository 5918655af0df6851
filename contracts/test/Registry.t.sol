// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IRegistry} from "../sol/IRegistry.sol";
import {Registry} from "../sol/Registry.sol";
import {Base} from "./Base.sol";

contract RegistryTest is Base {
    struct Header {
        uint32 version;
        uint32 layers;
        uint32 operators;
        uint8 input;
        uint8 output;
        uint8 bits;
        uint8 depth;
        uint32 inputElements;
        uint32 outputElements;
        uint64 work;
    }

    Registry private registry;

    function setUp() public {
        registry = new Registry();
    }

    function good() private pure returns (Header memory) {
        return Header(4, 7, 9, 1, 3, 4, 11, 1000, 10, 12345);
    }

    function encode(Header memory h) private pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(h.version, h.layers, h.operators, h.input, h.output, h.bits, h.depth);
        return abi.encodePacked(head, h.inputElements, h.outputElements, h.work, keccak256("meta"));
    }

    function accepted(Header memory h) private {
        bytes32 root = registry.register(encode(h), "l");
        same(registry.program(root).layers, h.layers, "layers");
    }

    function refused(Header memory h) private {
        bytes memory header = encode(h);
        vm.expectRevert(IRegistry.BadHeader.selector);
        registry.register(header, "l");
    }

    function test_a_program_is_stored_under_its_root() public {
        bytes memory header = encode(good());
        bytes32 root = registry.register(header, "l");
        same(root, keccak256(bytes.concat(hex"05", header, bytes32("l"))), "root");
        IRegistry.Program memory p = registry.program(root);
        holds(p.layers == 7 && p.operators == 9 && p.inputType == 1 && p.outputType == 3, "counts");
        holds(p.revealBits == 4 && p.greatestDepth == 11, "levels");
        holds(p.inputElements == 1000 && p.outputElements == 10, "elements");
        holds(p.layersRoot == "l" && p.work == 12345, "root, work");
        same(registry.layersRootOf(root), "l", "root");
        same(registry.layersRootOf(~root), 0, "no root");
        same(registry.register(header, "l"), root, "again is no error");
        same(registry.program(~root).layers, 0, "unknown");
    }

    function test_attack_26_every_range_at_its_edge() public {
        Header memory h = good();
        (h.layers, h.operators, h.bits, h.depth, h.inputElements, h.outputElements, h.work) = (1, 1, 1, 0, 1, 1, 0);
        accepted(h);
        (h.layers, h.operators, h.bits, h.depth, h.work) = (1 << 20, 1 << 20, 6, 26, (1 << 63) - 1);
        (h.inputElements, h.outputElements, h.input, h.output) = (1 << 24, 1 << 24, 3, 1);
        accepted(h);
        // Layers hold 1 to 32 operators.
        (h.layers, h.operators) = (1, 32);
        accepted(h);
        (h.layers, h.operators) = (2, 64);
        accepted(h);
        (h.layers, h.operators) = (2, 33);
        accepted(h);
        for (uint256 i; i < 22; ++i) {
            h = good();
            if (i == 0) h.version = 3;
            if (i == 1) h.version = 5;
            if (i == 2) (h.layers, h.operators) = (0, 1);
            if (i == 3) (h.layers, h.operators) = (1 << 20, (1 << 20) + 1);
            if (i == 4) (h.layers, h.operators) = (0, 0);
            if (i == 5) (h.layers, h.operators) = (10, 9);
            if (i == 6) (h.layers, h.operators) = (1, 33);
            if (i == 7) (h.layers, h.operators) = (2, 65);
            if (i == 8) h.input = 0;
            if (i == 9) h.input = 16;
            if (i == 10) h.output = 4;
            if (i == 11) h.output = 0;
            if (i == 12) h.bits = 0;
            if (i == 13) h.bits = 7;
            if (i == 14) h.depth = 27;
            if (i == 15) h.inputElements = 0;
            if (i == 16) h.inputElements = (1 << 24) + 1;
            if (i == 17) h.outputElements = 0;
            if (i == 18) h.outputElements = (1 << 24) + 1;
            if (i == 19) h.work = 1 << 63;
            if (i == 20) h.work = type(uint64).max;
            if (i == 21) h.layers = type(uint32).max;
            refused(h);
        }
    }

    function test_attack_26_a_header_of_another_length() public {
        bytes memory header = encode(good());
        vm.expectRevert(IRegistry.BadHeader.selector);
        registry.register(bytes.concat(header, hex"00"), "l");
        vm.expectRevert(IRegistry.BadHeader.selector);
        registry.register("", "l");
    }
}
