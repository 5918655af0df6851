// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IRegistry} from "../sol/IRegistry.sol";
import {Registry} from "../sol/Registry.sol";
import {Base} from "./Base.sol";

contract RegistryTest is Base {
    struct Header {
        uint32 version;
        uint32 layers;
        uint32 constants;
        uint8 input;
        uint8 output;
        uint8 bits;
        uint8 depth;
        uint32 inputElements;
        uint32 outputElements;
        uint64 reserved;
    }

    Registry private registry;

    function setUp() public {
        registry = new Registry();
    }

    function good() private pure returns (Header memory) {
        return Header(1, 7, 9, 1, 3, 4, 11, 1000, 10, 0);
    }

    function encode(Header memory h) private pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(h.version, h.layers, h.constants, h.input, h.output, h.bits, h.depth);
        return abi.encodePacked(head, h.inputElements, h.outputElements, h.reserved, keccak256("meta"));
    }

    function accepted(Header memory h) private {
        bytes32 root = registry.register(encode(h), "l", "c");
        same(registry.program(root).layers, h.layers, "layers");
    }

    function refused(Header memory h) private {
        bytes memory header = encode(h);
        vm.expectRevert(IRegistry.BadHeader.selector);
        registry.register(header, "l", "c");
    }

    function test_a_program_is_stored_under_its_root() public {
        bytes memory header = encode(good());
        bytes32 root = registry.register(header, "l", "c");
        same(root, keccak256(bytes.concat(hex"05", header, bytes32("l"), bytes32("c"))), "root");
        IRegistry.Program memory p = registry.program(root);
        holds(p.layers == 7 && p.constants == 9 && p.inputType == 1 && p.outputType == 3, "counts");
        holds(p.revealBits == 4 && p.greatestDepth == 11, "levels");
        holds(p.inputElements == 1000 && p.outputElements == 10, "elements");
        holds(p.layersRoot == "l" && p.constantsRoot == "c", "roots");
        same(registry.register(header, "l", "c"), root, "again is no error");
        same(registry.program(~root).layers, 0, "unknown");
    }

    function test_attack_26_every_range_at_its_edge() public {
        Header memory h = good();
        (h.layers, h.constants, h.bits, h.depth, h.inputElements, h.outputElements) = (1, 1, 1, 0, 1, 1);
        accepted(h);
        (h.layers, h.constants, h.bits, h.depth) = (1 << 20, 1 << 20, 6, 26);
        (h.inputElements, h.outputElements, h.input, h.output) = (1 << 24, 1 << 24, 3, 1);
        accepted(h);
        (h = good()).version = 0;
        refused(h);
        (h = good()).version = 2;
        refused(h);
        (h = good()).layers = 0;
        refused(h);
        (h = good()).layers = (1 << 20) + 1;
        refused(h);
        (h = good()).constants = 0;
        refused(h);
        (h = good()).constants = (1 << 20) + 1;
        refused(h);
        (h = good()).input = 0;
        refused(h);
        (h = good()).input = 16;
        refused(h);
        (h = good()).output = 4;
        refused(h);
        (h = good()).bits = 0;
        refused(h);
        (h = good()).bits = 7;
        refused(h);
        (h = good()).depth = 27;
        refused(h);
        (h = good()).inputElements = 0;
        refused(h);
        (h = good()).inputElements = (1 << 24) + 1;
        refused(h);
        (h = good()).outputElements = 0;
        refused(h);
        (h = good()).outputElements = (1 << 24) + 1;
        refused(h);
        (h = good()).reserved = 1;
        refused(h);
        (h = good()).reserved = 1 << 63;
        refused(h);
    }

    function test_attack_26_a_header_of_another_length() public {
        bytes memory header = encode(good());
        vm.expectRevert(IRegistry.BadHeader.selector);
        registry.register(bytes.concat(header, hex"00"), "l", "c");
        vm.expectRevert(IRegistry.BadHeader.selector);
        registry.register("", "l", "c");
    }
}
