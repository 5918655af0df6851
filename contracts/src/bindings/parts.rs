//! The structures that calls carry, to the ABI and back.

use narrows_bisection::{
    BlockTime, Footing, Parameters, Point, Posted, Refutation, Seat, Seated, Standing, Wei,
};
use narrows_commitment::{TensorRoot, TraceRoot};

use super::abi::IGame;
use super::packed::{pack_witness, unpack_witness};
use super::{account, address, digest, digests, job, number, packed, root_words, roots, word, words};

impl From<Parameters> for IGame::Parameters {
    fn from(parameters: Parameters) -> Self {
        Self {
            windowSeconds: parameters.window_seconds,
            executorClockSeconds: parameters.executor_clock_seconds,
            challengerClockSeconds: parameters.challenger_clock_seconds,
            graceSeconds: parameters.grace_seconds,
            slackSeconds: parameters.slack_seconds,
            revealSeconds: parameters.reveal_seconds,
            rewardSeconds: parameters.reward_seconds,
            blockSeconds: parameters.block_seconds,
            blockGas: parameters.block_gas,
            executorBond: parameters.executor_bond.0,
            feeCap: parameters.fee_cap.0,
            delayFee: parameters.delay_fee.0,
            workPrice: parameters.work_price.0,
            attackerBudget: parameters.attacker_budget.0,
        }
    }
}

impl From<IGame::Parameters> for Parameters {
    fn from(parameters: IGame::Parameters) -> Self {
        Self {
            window_seconds: parameters.windowSeconds,
            executor_clock_seconds: parameters.executorClockSeconds,
            challenger_clock_seconds: parameters.challengerClockSeconds,
            grace_seconds: parameters.graceSeconds,
            slack_seconds: parameters.slackSeconds,
            reveal_seconds: parameters.revealSeconds,
            reward_seconds: parameters.rewardSeconds,
            block_seconds: parameters.blockSeconds,
            block_gas: parameters.blockGas,
            executor_bond: Wei(parameters.executorBond),
            fee_cap: Wei(parameters.feeCap),
            delay_fee: Wei(parameters.delayFee),
            work_price: Wei(parameters.workPrice),
            attacker_budget: Wei(parameters.attackerBudget),
        }
    }
}

impl From<Posted> for IGame::Posted {
    fn from(posted: Posted) -> Self {
        Self {
            jobId: word(posted.job.0),
            executor: address(posted.executor),
            traceRoot: word(posted.trace_root.0),
            outputRoot: word(posted.output_root.0),
        }
    }
}

impl From<IGame::Posted> for Posted {
    fn from(posted: IGame::Posted) -> Self {
        Self {
            job: job(posted.jobId),
            executor: account(posted.executor),
            trace_root: TraceRoot(digest(posted.traceRoot)),
            output_root: TensorRoot(digest(posted.outputRoot)),
        }
    }
}

impl From<Footing> for IGame::Footing {
    fn from(footing: Footing) -> Self {
        Self { word: number(footing.word), rest: word(footing.rest) }
    }
}

impl From<IGame::Footing> for Footing {
    fn from(footing: IGame::Footing) -> Self {
        Self { word: packed(footing.word), rest: digest(footing.rest) }
    }
}

impl From<Standing> for IGame::Standing {
    fn from(standing: Standing) -> Self {
        Self { word: number(standing.word), scope: word(standing.scope), list: word(standing.list) }
    }
}

impl From<IGame::Standing> for Standing {
    fn from(standing: IGame::Standing) -> Self {
        Self { word: packed(standing.word), scope: digest(standing.scope), list: digest(standing.list) }
    }
}

impl From<Seat> for IGame::Seat {
    fn from(seat: Seat) -> Self {
        Self { commitment: word(seat.commitment), openedAt: seat.opened_at.0, bond: seat.bond.0 }
    }
}

impl From<IGame::Seat> for Seat {
    fn from(seat: IGame::Seat) -> Self {
        Self {
            commitment: digest(seat.commitment),
            opened_at: BlockTime(seat.openedAt),
            bond: Wei(seat.bond),
        }
    }
}

impl From<Seated> for IGame::Seated {
    fn from(seated: Seated) -> Self {
        Self {
            challenger: address(seated.challenger),
            commitment: word(seated.seat.commitment),
            openedAt: seated.seat.opened_at.0,
            bond: seated.seat.bond.0,
        }
    }
}

impl From<IGame::Seated> for Seated {
    fn from(seated: IGame::Seated) -> Self {
        let seat = Seat {
            commitment: digest(seated.commitment),
            opened_at: BlockTime(seated.openedAt),
            bond: Wei(seated.bond),
        };
        Self { challenger: account(seated.challenger), seat }
    }
}

impl From<Point> for IGame::Point {
    fn from(Point { operator, depth, element_bytes, element, value, before }: Point) -> Self {
        Self { operator, depth, elementBytes: element_bytes, element, value, before: word(before) }
    }
}

impl From<IGame::Point> for Point {
    fn from(IGame::Point { operator, depth, elementBytes, element, value, before }: IGame::Point) -> Self {
        Self { operator, depth, element_bytes: elementBytes, element, value, before: digest(before) }
    }
}

impl From<Refutation> for IGame::Refutation {
    fn from(r: Refutation) -> Self {
        Self {
            layerIndex: r.layer_index,
            layer: r.layer.into(),
            layerPath: words(&r.layer_path),
            operator: r.operator.into(),
            position: r.position,
            operatorPath: words(&r.operator_path),
            tracePath: words(&r.trace_path),
            exports: root_words(&r.exports),
            list: word(r.list),
            listPath: words(&r.list_path),
            signature: r.signature.into(),
            tileIndex: r.tile_index,
            tile: r.tile.into(),
            tilePath: words(&r.tile_path),
            element: r.element,
            witness: pack_witness(&r.witness).into(),
        }
    }
}

pub(super) fn take_refutation(r: IGame::Refutation) -> Option<Box<Refutation>> {
    Some(Box::new(Refutation {
        layer_index: r.layerIndex,
        layer: r.layer.into(),
        layer_path: digests(r.layerPath),
        operator: r.operator.into(),
        position: r.position,
        operator_path: digests(r.operatorPath),
        trace_path: digests(r.tracePath),
        exports: roots(r.exports),
        list: digest(r.list),
        list_path: digests(r.listPath),
        signature: r.signature.into(),
        tile_index: r.tileIndex,
        tile: r.tile.into(),
        tile_path: digests(r.tilePath),
        element: r.element,
        witness: unpack_witness(&r.witness)?,
    }))
}
