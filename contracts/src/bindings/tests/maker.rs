//! Values of every kind from a seed: one of each call.

use narrows_bisection::{
    Account, BlockTime, Call, ClaimId, Footing, JobId, Opened, Point, Posted, Refutation, Seat, Seated,
    Standing, Wei, Witness,
};
use narrows_commitment::{Digest, LayersRoot, MultiProof, ProgramRoot, TensorRoot, TraceRoot, keccak};

/// A stream of values: lengths from 0, numbers often at the ends of their range.
pub struct Maker {
    seed: u64,
    count: u64,
}

impl Maker {
    pub const fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    fn raw(&mut self) -> [u8; 32] {
        self.count += 1;
        keccak(&[self.seed.to_be_bytes(), self.count.to_be_bytes()].concat()).0
    }

    pub fn u64(&mut self) -> u64 {
        let raw = self.raw();
        let value = u64::from_be_bytes(*raw.first_chunk().expect("32 bytes"));
        match raw[31] % 4 {
            0 => 0,
            1 => u64::MAX,
            2 => value % 256,
            _ => value,
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        u64::from(self.raw()[0]) % end
    }

    pub fn u32(&mut self) -> u32 {
        self.u64() as u32
    }

    pub fn u8(&mut self) -> u8 {
        self.u64() as u8
    }

    pub fn time(&mut self) -> BlockTime {
        BlockTime(self.u64())
    }

    pub fn wei(&mut self) -> Wei {
        Wei(u128::from(self.u64()) << 64 | u128::from(self.u64()))
    }

    pub fn digest(&mut self) -> Digest {
        if self.below(8) == 0 { Digest::default() } else { Digest(self.raw()) }
    }

    fn list<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.below(5)).map(|_| one(self)).collect()
    }

    pub fn digests(&mut self) -> Vec<Digest> {
        self.list(Self::digest)
    }

    pub fn roots(&mut self) -> Vec<TensorRoot> {
        self.list(|maker| TensorRoot(maker.digest()))
    }

    pub fn sums(&mut self) -> Vec<i64> {
        self.list(|maker| maker.u64() as i64)
    }

    pub fn bytes(&mut self) -> Vec<u8> {
        let length = self.below(200);
        (0..length).map(|_| self.raw()[0]).collect()
    }

    pub fn account(&mut self) -> Account {
        Account(*self.raw().first_chunk().expect("32 bytes"))
    }

    pub fn posted(&mut self) -> Posted {
        Posted {
            job: JobId(self.digest()),
            executor: self.account(),
            trace_root: TraceRoot(self.digest()),
            output_root: TensorRoot(self.digest()),
        }
    }

    fn footing(&mut self) -> Footing {
        Footing { word: self.digest(), rest: self.digest() }
    }

    fn standing(&mut self) -> Standing {
        Standing { word: self.digest(), scope: self.digest(), list: self.digest() }
    }

    fn seat(&mut self) -> Seat {
        Seat { commitment: self.digest(), opened_at: self.time(), bond: self.wei() }
    }

    fn seated(&mut self) -> Seated {
        Seated { challenger: self.account(), seat: self.seat() }
    }

    fn point(&mut self) -> Point {
        Point {
            operator: self.u32(),
            depth: self.u8(),
            element_bytes: self.u8(),
            element: self.u32(),
            value: self.u32() as i32,
            before: self.digest(),
        }
    }

    fn opened(&mut self) -> Opened {
        Opened {
            root_path: self.digests(),
            indices: self.list(Self::u32),
            tiles: self.bytes(),
            proof: MultiProof(self.digests()),
        }
    }

    fn witness(&mut self) -> Witness {
        Witness { a: self.opened(), b: self.opened(), params: self.opened(), third: self.opened() }
    }

    fn refutation(&mut self) -> Box<Refutation> {
        Box::new(Refutation {
            layer_index: self.u32(),
            layer: self.bytes(),
            layer_path: self.digests(),
            operator: self.bytes(),
            position: self.u32(),
            operator_path: self.digests(),
            trace_path: self.digests(),
            exports: self.roots(),
            list: self.digest(),
            list_path: self.digests(),
            signature: self.bytes(),
            tile_index: self.u32(),
            tile: self.bytes(),
            tile_path: self.digests(),
            element: self.u8(),
            witness: self.witness(),
        })
    }

    /// One call of each kind.
    pub fn calls(&mut self) -> Vec<Call> {
        let m = self;
        vec![
            Call::Register { header: m.bytes(), layers_root: LayersRoot(m.digest()) },
            Call::PostJob {
                program: ProgramRoot(m.digest()),
                input: m.bytes(),
                salt: m.digest(),
                deadline: m.time(),
            },
            Call::CommitClaim { job: JobId(m.digest()), commitment: m.digest() },
            Call::PostClaim {
                job: JobId(m.digest()),
                number: m.u64(),
                committed_at: m.time(),
                salt: m.digest(),
                trace_root: TraceRoot(m.digest()),
                output: m.bytes(),
                path: m.digests(),
            },
            Call::Lapse {
                job: JobId(m.digest()),
                number: m.u64(),
                executor: m.account(),
                commitment: m.digest(),
                committed_at: m.time(),
            },
            Call::Finalise { posted: m.posted() },
            Call::Award { posted: m.posted() },
            Call::Advance { job: JobId(m.digest()) },
            Call::Refund { job: JobId(m.digest()) },
            Call::Withdraw,
            Call::Open { posted: m.posted(), commitment: m.digest() },
            Call::Commit { claim: ClaimId(m.digest()), commitment: m.digest() },
            Call::Timeout {
                posted: m.posted(),
                number: m.u64(),
                standing: m.standing(),
                seated: m.seated(),
                node: m.digest(),
            },
            Call::Reclaim {
                claim: ClaimId(m.digest()),
                number: m.u64(),
                standing: m.standing(),
                seated: m.seated(),
                node: m.digest(),
            },
            Call::Refute { posted: m.posted(), refutation: m.refutation() },
            Call::RefuteCopy { original: m.posted(), copy: m.posted() },
            Call::OpenReward {
                claim: ClaimId(m.digest()),
                number: m.u64(),
                standing: m.standing(),
                node: m.digest(),
                seat: m.seat(),
                point: m.point(),
                salt: m.digest(),
                depth: m.u8(),
                tile: m.bytes(),
                path: m.digests(),
            },
            Call::CollectReward { claim: ClaimId(m.digest()) },
        ]
        .into_iter()
        .chain(m.moves())
        .collect()
    }

    fn moves(&mut self) -> Vec<Call> {
        let m = self;
        vec![
            Call::Reveal {
                claim: ClaimId(m.digest()),
                number: m.u64(),
                footing: m.footing(),
                nodes: m.digests(),
            },
            Call::Pick {
                claim: ClaimId(m.digest()),
                number: m.u64(),
                footing: m.footing(),
                child: m.u32(),
                node: m.digest(),
                siblings: m.digests(),
            },
            Call::Enter {
                claim: ClaimId(m.digest()),
                number: m.u64(),
                footing: m.footing(),
                child: m.u32(),
                node: m.digest(),
                siblings: m.digests(),
                layer: m.bytes(),
                operator: m.bytes(),
                path: m.digests(),
            },
            Call::SubTrace {
                posted: m.posted(),
                number: m.u64(),
                footing: m.footing(),
                challenger: m.account(),
                layer: m.bytes(),
                roots: m.roots(),
                signature: m.bytes(),
            },
            Call::PickOperator {
                claim: ClaimId(m.digest()),
                number: m.u64(),
                footing: m.footing(),
                position: m.u32(),
                layer: m.bytes(),
                operator: m.bytes(),
                operator_path: m.digests(),
                root: TensorRoot(m.digest()),
                root_path: m.digests(),
            },
            Call::RevealTiles {
                claim: ClaimId(m.digest()),
                number: m.u64(),
                footing: m.footing(),
                tiles: m.bytes(),
            },
            Call::Prepare {
                posted: m.posted(),
                number: m.u64(),
                footing: m.footing(),
                list: m.digest(),
                node: m.digest(),
                operator: m.bytes(),
                witness: Box::new(m.witness()),
            },
            Call::Name {
                posted: m.posted(),
                number: m.u64(),
                footing: m.footing(),
                list: m.digest(),
                tile: m.bytes(),
                slot: m.u8(),
                siblings: m.digests(),
                element: m.u8(),
                operator: m.bytes(),
                witness: Box::new(m.witness()),
            },
            Call::Fold {
                posted: m.posted(),
                number: m.u64(),
                footing: m.footing(),
                list: m.digest(),
                challenger: m.account(),
                operator: m.bytes(),
                sums: m.sums(),
                params: Box::new(m.opened()),
                third: Box::new(m.opened()),
                signature: m.bytes(),
            },
            Call::Segment {
                posted: m.posted(),
                number: m.u64(),
                footing: m.footing(),
                list: m.digest(),
                operator: m.bytes(),
                sums: m.sums(),
                index: m.u32(),
                witness: Box::new(m.witness()),
            },
        ]
    }
}
