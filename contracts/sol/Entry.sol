// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Descriptor} from "./Descriptor.sol";
import {IGame} from "./IGame.sol";
import {Layer} from "./Layer.sol";
import {MatchWord, Phase} from "./MatchWord.sol";

/// @title Where a dispute goes from a layer's leaf, and from an operator (PROTOCOL 4.3).
library Entry {
    using Descriptor for bytes;

    /// The operators root of a layer, by its head and its only operator, or the root of all.
    function operatorsRoot(bytes calldata head, bytes calldata what) internal pure returns (bytes32) {
        if (!Layer.isHead(head)) revert IGame.WrongLength();
        bool alone = Layer.count(head) == 1;
        if (alone ? !what.isOperator() : what.length != 32) revert IGame.WrongLength();
        return alone ? what.operatorLeaf() : bytes32(what);
    }

    /// Of a match whose position is a layer's index: the next word.
    function layer(MatchWord word, bytes calldata head, bytes calldata what) internal pure returns (MatchWord) {
        uint256 count = Layer.count(head);
        word = word.withOperators(count);
        if (count == 1) return operator(word, Layer.first(head), what);
        return word.withPlace(word.position()).withPhase(Phase.SUB_E);
    }

    /// The dispute goes on in the output of the operator with this index in the program (entered).
    function operator(MatchWord word, uint256 index, bytes calldata d) internal pure returns (MatchWord) {
        if (!d.isSized()) revert IGame.WrongDescriptor();
        uint256 depth = d.outputDepth();
        word = word.withPlace(index).withSubject(d.outputTiles()).withNode(depth, 0);
        return word.withPhase(depth > 2 ? Phase.TILE_E : Phase.DATA_E);
    }
}
