// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Descriptor} from "./Descriptor.sol";
import {IGame} from "./IGame.sol";
import {Layer} from "./Layer.sol";
import {MatchWord, Phase} from "./MatchWord.sol";
import {Tree} from "./Tree.sol";

/// @title Where a dispute goes from a layer's leaf, and from an operator (PROTOCOL 4.3).
library Entry {
    using Descriptor for bytes;

    /// Of a match whose position is a layer's index: the next word and scope.
    function layer(
        MatchWord word,
        bytes32 layersRoot,
        uint256 layers,
        bytes calldata head,
        bytes calldata what,
        bytes32[] calldata path
    ) internal pure returns (MatchWord, bytes32) {
        if (!Layer.isHead(head)) revert IGame.WrongLength();
        uint256 count = Layer.count(head);
        // The only operator, or the root of all.
        if (count == 1 ? !what.isOperator() : what.length != 32) revert IGame.WrongLength();
        bytes32 operators = count == 1 ? what.operatorLeaf() : bytes32(what);
        bytes32 leaf = Layer.leaf(head, operators);
        if (!Tree.opens(layersRoot, Tree.depthFor(layers), word.position(), leaf, path)) revert IGame.BadOpening();
        word = word.withOperators(count);
        if (count == 1) return (operator(word, Layer.first(head), what), operators);
        return (word.withPlace(word.position()).withPhase(Phase.SUB_E), leaf);
    }

    /// The dispute goes on in the output of the operator with this index in the program (entered).
    function operator(MatchWord word, uint256 index, bytes calldata d) internal pure returns (MatchWord) {
        if (!d.isSized()) revert IGame.WrongDescriptor();
        uint256 depth = d.outputDepth();
        word = word.withPlace(index).withSubject(d.outputTiles()).withNode(depth, 0);
        return word.withPhase(depth > 2 ? Phase.TILE_E : Phase.DATA_E);
    }
}
