// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

struct Window {
    uint32 limit;
    uint32 stride;
    uint16 outStep;
    uint16 redStep;
    uint16 offset;
}

/// An operator as SPEC 2 speaks of it.
struct Op {
    uint8 fold;
    uint8 outType;
    uint8 aType;
    uint8 bType;
    uint8 aKind;
    uint8 bKind;
    uint8[4] depths;
    uint32 aIndex;
    uint32 bIndex;
    uint8 aRank;
    uint8 aExports;
    uint8 bRank;
    uint8 bExports;
    uint32 params;
    uint32 split;
    uint32[4] out;
    uint32[3] red;
    int32 pad;
    /// base, S0 … S3, T0 … T2
    uint32[8] a;
    uint32[8] b;
    Window[2] windows;
    uint32[4] p;
    int32 scaleA;
    int32 scaleB;
    int32 lo;
    int32 hi;
    /// How it ends: 0 is 1, requantise.
    uint8 way;
    /// The table or the divisor; a type of 0 for none.
    uint8 thirdType;
    uint8 thirdKind;
    uint8 thirdDepth;
    uint8 thirdRank;
    uint8 thirdExports;
    uint8 lift;
    uint32 thirdIndex;
    /// base, S0 … S3
    uint32[5] third;
}

/// SPEC 2 term by term, in memory, from the operator rather than from its bytes: the twin that the referee is judged by.
library Model {
    function descriptor(Op memory op) public pure returns (bytes memory d) {
        uint8 extended = op.thirdType == 0 ? 0 : 1;
        d = abi.encodePacked(op.fold, op.way == 0 ? 1 : op.way, op.outType, op.aType, op.bType, op.aKind, op.bKind, extended);
        for (uint256 i; i < 4; ++i) d = abi.encodePacked(d, op.depths[i]);
        d = abi.encodePacked(d, op.aIndex, op.bIndex, op.params, op.split);
        d = abi.encodePacked(d, op.aRank, op.aExports, op.bRank, op.bExports);
        for (uint256 i; i < 4; ++i) d = abi.encodePacked(d, op.out[i]);
        for (uint256 i; i < 3; ++i) d = abi.encodePacked(d, op.red[i]);
        d = abi.encodePacked(d, op.pad);
        for (uint256 i; i < 8; ++i) d = abi.encodePacked(d, op.a[i]);
        for (uint256 i; i < 8; ++i) d = abi.encodePacked(d, op.b[i]);
        for (uint256 i; i < 2; ++i) {
            Window memory w = op.windows[i];
            d = abi.encodePacked(d, w.limit, w.stride, w.outStep, w.redStep, w.offset, uint16(0));
        }
        for (uint256 i; i < 4; ++i) d = abi.encodePacked(d, op.p[i]);
        d = abi.encodePacked(d, op.scaleA, op.scaleB, op.lo, op.hi);
        assert(d.length == 192);
        if (extended == 0) return d;
        d = abi.encodePacked(d, op.thirdType, op.thirdKind, op.thirdDepth, op.thirdRank, op.thirdExports, op.lift);
        d = abi.encodePacked(d, uint16(0), op.thirdIndex);
        for (uint256 i; i < 5; ++i) d = abi.encodePacked(d, op.third[i]);
        assert(d.length == 224);
    }

    /// SPEC 4.2: the descriptor and the roots of its constants, of which `roots` gives those of a, b and params.
    function operatorBytes(Op memory op, bytes32[3] memory roots) internal pure returns (bytes memory d) {
        return operatorBytes(op, roots, 0);
    }

    /// The same of an operator with a third operand, of which `third` is the root.
    function operatorBytes(Op memory op, bytes32[3] memory roots, bytes32 third) internal pure returns (bytes memory d) {
        d = descriptor(op);
        if (op.aKind == 1) d = bytes.concat(d, roots[0]);
        if (op.bKind == 1) d = bytes.concat(d, roots[1]);
        d = bytes.concat(d, roots[2]);
        if (op.thirdType != 0 && op.thirdKind == 1) d = bytes.concat(d, third);
    }

    function operatorLeaf(bytes memory d) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"03", d));
    }

    /// be32(first) | count | n | positions
    function head(uint256 first, uint256 count, uint8[] memory positions) internal pure returns (bytes memory h) {
        h = abi.encodePacked(uint32(first), uint8(count), uint8(positions.length));
        for (uint256 i; i < positions.length; ++i) h = bytes.concat(h, bytes1(positions[i]));
    }

    function layerLeaf(bytes memory head_, bytes32 operatorsRoot) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"06", head_, operatorsRoot));
    }

    function elements(Op memory op) internal pure returns (uint256) {
        return uint256(op.out[0]) * op.out[1] * op.out[2] * op.out[3];
    }

    function terms(Op memory op) internal pure returns (uint256) {
        return uint256(op.red[0]) * op.red[1] * op.red[2];
    }

    function size(uint8 code) internal pure returns (uint256) {
        return code == 16 ? 16 : code == 3 ? 4 : code;
    }

    function valueAt(bytes memory data, uint256 index, uint8 code) internal pure returns (int256) {
        uint256 value;
        for (uint256 i = size(code); i > 0; --i) value = value << 8 | uint8(data[index * size(code) + i - 1]);
        int256 limit = int256(1) << (8 * size(code) - 1);
        return int256(value) >= limit ? int256(value) - 2 * limit : int256(value);
    }

    function put(bytes memory data, uint256 index, uint8 code, int256 value) internal pure {
        for (uint256 i; i < size(code); ++i) data[index * size(code) + i] = bytes1(uint8(uint256(value) >> (8 * i)));
    }

    function record(int64 bias, uint32 m, uint8 s) internal pure returns (bytes memory data) {
        data = new bytes(16);
        for (uint256 i; i < 8; ++i) data[i] = bytes1(uint8(uint64(bias) >> (8 * i)));
        for (uint256 i; i < 4; ++i) data[8 + i] = bytes1(uint8(m >> (8 * i)));
        data[12] = bytes1(s);
    }

    function coordinates(Op memory op, uint256 e) internal pure returns (uint256[4] memory o) {
        for (uint256 i = 4; i > 0; --i) {
            o[i - 1] = e % op.out[i - 1];
            e /= op.out[i - 1];
        }
    }

    function aAddress(Op memory op, uint256 e, uint256 t) internal pure returns (bool inside, uint256 address_) {
        uint256[4] memory o = coordinates(op, e);
        uint256[3] memory r = _reduction(op, t);
        address_ = _walk(op.a, o, r);
        for (uint256 w; w < 2; ++w) {
            Window memory window = op.windows[w];
            if (window.limit == 0) continue;
            int256 v = int256(o[w] * window.outStep + r[w] * window.redStep) - int256(uint256(window.offset));
            if (v < 0 || v >= int256(uint256(window.limit))) return (false, 0);
            address_ += uint256(v) * window.stride;
        }
        return (true, address_);
    }

    function bAddress(Op memory op, uint256 e, uint256 t) internal pure returns (uint256) {
        return _walk(op.b, coordinates(op, e), _reduction(op, t));
    }

    /// Where b is read: of a gather in the row that a names.
    function bAddress(Op memory op, uint256 e, uint256 t, bytes memory a) internal pure returns (uint256 address_) {
        address_ = bAddress(op, e, t);
        if (op.fold != 5) return address_;
        (bool inside, uint256 where) = aAddress(op, e, t);
        int256 row = inside ? valueAt(a, where, op.aType) : int256(op.pad);
        if (row < 0) row = 0;
        if (row >= op.scaleB) row = op.scaleB - 1;
        address_ += uint256(row * op.scaleA);
    }

    /// Where the third operand is read for an element of which `acc` is finalised.
    function thirdAddress(Op memory op, uint256 e, int256 acc, bytes memory params) internal pure returns (uint256 index) {
        if (op.way == 2) {
            (int256 bias, int256 m, uint256 s) = recordOf(op, e, params);
            return uint256(finalise(op, acc, bias, m, s) - op.lo);
        }
        uint256[4] memory o = coordinates(op, e);
        index = op.third[0];
        for (uint256 i; i < 4; ++i) index += o[i] * op.third[1 + i];
    }

    function recordAddress(Op memory op, uint256 e) internal pure returns (uint256 address_) {
        uint256[4] memory o = coordinates(op, e);
        for (uint256 i; i < 4; ++i) address_ += o[i] * op.p[i];
    }

    function fold(Op memory op, uint256 e, uint256 from, uint256 to, bytes memory a, bytes memory b)
        public
        pure
        returns (int256 acc)
    {
        for (uint256 t = from; t < to; ++t) {
            (bool inside, uint256 address_) = aAddress(op, e, t);
            int256 x = inside ? valueAt(a, address_, op.aType) : int256(op.pad);
            int256 y = op.bType == 0 ? int256(0) : valueAt(b, bAddress(op, e, t, a), op.bType);
            int256 term = op.fold == 1 ? x * y : op.fold == 4 ? x * op.scaleA + y * op.scaleB : op.fold == 5 ? y : x;
            if (op.fold == 6) term = x * 2 ** 24 + int256(2 ** 24 - 1 - t);
            if (op.fold == 3 || op.fold == 6) acc = t == from || term > acc ? term : acc;
            else acc += term;
        }
    }

    /// By floor division, where the contract shifts.
    function finalise(Op memory op, int256 acc, int256 bias, int256 m, uint256 s) internal pure returns (int256 y) {
        int256 n = (acc + bias) * m + int256(2 ** (s - 1));
        int256 unit = int256(2 ** s);
        y = n / unit;
        if (n % unit < 0) y -= 1;
        if (y < op.lo) y = op.lo;
        if (y > op.hi) y = op.hi;
    }

    function recordOf(Op memory op, uint256 e, bytes memory params)
        internal
        pure
        returns (int256 bias, int256 m, uint256 s)
    {
        uint256 address_ = recordAddress(op, e) * 16;
        uint256 low;
        for (uint256 i = 8; i > 0; --i) low = low << 8 | uint8(params[address_ + i - 1]);
        uint256 factor;
        for (uint256 i = 4; i > 0; --i) factor = factor << 8 | uint8(params[address_ + 7 + i]);
        return (int64(uint64(low)), int256(factor), uint8(params[address_ + 12]));
    }

    function finaliseBy(Op memory op, uint256 e, int256 acc, bytes memory params) public pure returns (int256) {
        (int256 bias, int256 m, uint256 s) = recordOf(op, e, params);
        return finalise(op, acc, bias, m, s);
    }

    /// What is finalised of an accumulator: of an argmax the place that its term holds.
    function settled(Op memory op, int256 acc) internal pure returns (int256) {
        if (op.fold != 6) return acc;
        int256 rest = acc % 2 ** 24;
        return 2 ** 24 - 1 - (rest < 0 ? rest + 2 ** 24 : rest);
    }

    /// The element in whatever way it ends; not `ok` where only values of no legal program lead.
    function ended(Op memory op, uint256 e, int256 acc, bytes memory params, bytes memory third)
        public
        pure
        returns (bool ok, int256)
    {
        acc = settled(op, acc);
        if (op.way < 2) return (true, finaliseBy(op, e, acc, params));
        if (op.way == 2) return (true, valueAt(third, thirdAddress(op, e, acc, params), op.thirdType));
        if (acc >= 2 ** 62 || acc <= -(2 ** 62)) return (false, 0);
        (int256 bias, int256 m, uint256 s) = recordOf(op, e, params);
        if (op.way == 4) return (true, finalise(op, isqrt(acc + bias), 0, m, s));
        int256 divisor = valueAt(third, thirdAddress(op, e, acc, params), op.thirdType);
        if (divisor < 1) return (false, 0);
        int256 n = acc * int256(2 ** uint256(op.lift)) + divisor / 2;
        // The one quotient of which the remainder is from 0 to below the divisor.
        int256 quotient = n / divisor - 1;
        while (n - quotient * divisor >= divisor) ++quotient;
        if (quotient < type(int64).min || quotient > type(int64).max) return (false, 0);
        return (true, finalise(op, quotient, bias, m, s));
    }

    /// By halving the interval.
    function isqrt(int256 v) internal pure returns (int256 low) {
        int256 high = 2 ** 33;
        while (high - low > 1) {
            int256 middle = (low + high) / 2;
            if (middle * middle <= v) low = middle;
            else high = middle;
        }
    }

    function _walk(uint32[8] memory map, uint256[4] memory o, uint256[3] memory r) private pure returns (uint256 sum) {
        sum = map[0];
        for (uint256 i; i < 4; ++i) sum += o[i] * map[1 + i];
        for (uint256 i; i < 3; ++i) sum += r[i] * map[5 + i];
    }

    function _reduction(Op memory op, uint256 t) private pure returns (uint256[3] memory r) {
        return [t / op.red[2] / op.red[1], t / op.red[2] % op.red[1], t % op.red[2]];
    }
}
