//! Many one-permutation hashes with any width of permutation.

use super::{Job, State};

/// The last of the 17 words that one permutation of Keccak-256 absorbs.
const LAST_WORD: usize = 16;

impl<const BYTES: usize> Job<'_, BYTES> {
    /// Does the job, `N` bodies at a time.
    ///
    /// `permute` gives the digests' words of the state and meanwhile absorbs the bodies that come [`Next`] into
    /// it: once it has the state in registers, it calls [`Next::absorb`] for every half of a lane (or more).
    #[inline(always)]
    pub(super) fn run<const N: usize>(
        self,
        permute: impl Fn(&mut State<N>, Next<'_, N, BYTES>) -> [[u64; N]; 4],
    ) {
        let (batches, rest) = self.bodies.as_chunks::<N>();
        let mut tail = [[0; BYTES]; N];
        tail[..rest.len()].copy_from_slice(rest);

        let mut state = State([[0; N]; 25]);
        state.0[LAST_WORD] = [0x80 << 56; N];
        let next = |at: usize| Next { domain: self.domain as u8, bodies: batches.get(at).unwrap_or(&tail) };
        (0..2 * N).for_each(|half| next(0).absorb(&mut state, half));
        for (at, digests) in self.digests.chunks_mut(N).enumerate() {
            let words = permute(&mut state, next(at + 1));
            for (lane, digest) in digests.iter_mut().enumerate() {
                for (bytes, words) in digest.0.as_chunks_mut().0.iter_mut().zip(&words) {
                    *bytes = words[lane].to_le_bytes();
                }
            }
        }
    }
}

/// The bodies that the lanes take next.
#[derive(Clone, Copy)]
pub(super) struct Next<'a, const N: usize, const BYTES: usize> {
    domain: u8,
    bodies: &'a [[u8; BYTES]; N],
}

impl<const N: usize, const BYTES: usize> Next<'_, N, BYTES> {
    /// Lays half of domain | body | padding into lane `half / 2`; does nothing past the last lane.
    ///
    /// Halves, because a whole tile in one round holds up the round's own instructions. The domain's byte puts each
    /// word of the preimage seven bytes ahead of the body's.
    #[inline(always)]
    pub(super) fn absorb(self, state: &mut State<N>, half: usize) {
        let lane = half / 2;
        let Some(body) = self.bodies.get(lane) else { return };
        let (middle, last) = const { (BYTES / 16, BYTES / 8) };
        if half.is_multiple_of(2) {
            state.0[0][lane] = load(body, 0) << 8 | u64::from(self.domain);
            for word in 1..middle {
                state.0[word][lane] = load(body, 8 * word - 1);
            }
            return;
        }
        for word in middle..last {
            state.0[word][lane] = load(body, 8 * word - 1);
        }
        // Keccak's own padding, not SHA-3's: 0x01 behind the preimage, 0x80 at the end of the block.
        let end = if last == LAST_WORD { 0x80 << 56 } else { 0 };
        state.0[last][lane] = u64::from(body[BYTES - 1]) | 0x01 << 8 | end;
    }
}

#[inline(always)]
fn load(body: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&body[at..at + 8]);
    u64::from_le_bytes(word)
}
