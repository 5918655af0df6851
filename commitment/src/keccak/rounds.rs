//! The 24 rounds of Keccak-f\[1600\], written once for every width.
//!
//! `squeezed!` expands in a module that has `rotl`, `xor`, `xor3`, `chi` and `iota` for its own kind of word, so that
//! all of it compiles with that module's CPU features. The steps and their names are those of FIPS 202, section
//! 3.2: word (x, y) of the state stands at `[y][x]`, and by `5 * y + x` in the lists of a row.

/// The constant of each round: iota xors it into word (0, 0).
pub(super) const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808A,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808B,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008A,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000A,
    0x0000_0000_8000_808B,
    0x8000_0000_0000_008B,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800A,
    0x8000_0000_8000_000A,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// The first four words of the permuted state `[[word; 5]; 5]`: the digest. `aside` runs once in each `round` but
/// the last: loads and stores cost nothing beside the rounds, which use other ports of the CPU.
macro_rules! squeezed {
    ($state:expr, $round:ident => $aside:block) => {{
        let mut a = $state;
        let [constants @ .., last] = $crate::keccak::rounds::ROUND_CONSTANTS;
        for ($round, constant) in constants.into_iter().enumerate() {
            let d = parities!(a);
            a = [
                row!(a, d; 0 by 0, 6 by 44, 12 by 43, 18 by 21, 24 by 14),
                row!(a, d; 3 by 28, 9 by 20, 10 by 3, 16 by 45, 22 by 61),
                row!(a, d; 1 by 1, 7 by 6, 13 by 25, 19 by 8, 20 by 18),
                row!(a, d; 4 by 27, 5 by 36, 11 by 10, 17 by 15, 23 by 56),
                row!(a, d; 2 by 62, 8 by 55, 14 by 39, 15 by 41, 21 by 2),
            ];
            a[0][0] = iota(a[0][0], constant);
            $aside
        }
        let d = parities!(a);
        let row = row!(a, d; 0 by 0, 6 by 44, 12 by 43, 18 by 21, 24 by 14);
        [iota(row[0], last), row[1], row[2], row[3]]
    }};
}

/// Theta: what it adds to every column. Once for a column, not for a word, so that a round fits the registers.
macro_rules! parities {
    ($a:ident) => {{
        let c = [column!($a, 0), column!($a, 1), column!($a, 2), column!($a, 3), column!($a, 4)];
        let turned = [
            rotl::<1, 63>(c[0]),
            rotl::<1, 63>(c[1]),
            rotl::<1, 63>(c[2]),
            rotl::<1, 63>(c[3]),
            rotl::<1, 63>(c[4]),
        ];
        [
            xor(c[4], turned[1]),
            xor(c[0], turned[2]),
            xor(c[1], turned[3]),
            xor(c[2], turned[4]),
            xor(c[3], turned[0]),
        ]
    }};
}

/// The parity of column `x`.
macro_rules! column {
    ($a:ident, $x:literal) => {
        xor3(xor3($a[0][$x], $a[1][$x], $a[2][$x]), $a[3][$x], $a[4][$x])
    };
}

/// One new row: the words that pi brings into it, each with what theta adds and rho's turn, then chi.
macro_rules! row {
    ($a:ident, $d:ident; $($from:literal by $turn:literal),*) => {{
        let b = [$(rotl::<$turn, { 64 - $turn }>(xor(
            $a[$from / 5][$from % 5],
            $d[$from % 5],
        ))),*];
        [
            chi(b[0], b[1], b[2]),
            chi(b[1], b[2], b[3]),
            chi(b[2], b[3], b[4]),
            chi(b[3], b[4], b[0]),
            chi(b[4], b[0], b[1]),
        ]
    }};
}

pub(super) use {column, parities, row, squeezed};
