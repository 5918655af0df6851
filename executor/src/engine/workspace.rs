//! The memory of a run: kept outputs, an arena for the others, and scratch.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use narrows_commitment::{TensorRoot, TensorTree};
use narrows_program::OperatorIndex;

use super::arch::Lines;
use super::gemm::{Packing, Weights};
use super::plan::{Place, Plan, Way};
use super::{Engine, RunError, zeroed};

/// For how many operators an output's room waits to be hashed before another output may take it.
const HASHED_BESIDE: usize = 4;

/// What products copy and pack while they run.
#[derive(Debug)]
pub(super) struct Scratch {
    /// Copies of operand a, one at a time.
    copy: Lines,
    /// Room for packed columns of each product whose b is no constant.
    live: Vec<Option<Weights>>,
}

impl Scratch {
    fn new(plan: &Plan) -> Result<Self, RunError> {
        let mut most = (0, 0);
        let mut live = Vec::with_capacity(plan.operators.len());
        for (index, operator) in plan.operators.iter().enumerate() {
            let memory =
                |bytes| RunError::Memory { operator: OperatorIndex(index as u32), bytes: bytes as u64 };
            live.push(match &operator.way {
                Way::Gemm(gemm) => {
                    most = most.max((gemm.copy_bytes(), index));
                    let room = |packing: &Packing| packing.room().ok_or_else(|| memory(packing.bytes()));
                    gemm.live().map(room).transpose()?
                }
                Way::Rows { .. } | Way::Lanes { .. } | Way::Reduce { .. } => None,
            });
        }
        let operator = OperatorIndex(most.1 as u32);
        let copy = Lines::zeroed(most.0).ok_or(RunError::Memory { operator, bytes: most.0 as u64 })?;
        Ok(Self { copy, live })
    }

    /// Scratch for one operator: for its copy of a, and for its packed b if it has to be packed.
    pub fn of(&mut self, operator: usize) -> (&mut [u8], Option<&mut Weights>) {
        (self.copy.bytes_mut(), self.live[operator].as_mut())
    }
}

/// Scratch that no run uses.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Scratch>>);

impl Clone for Pool {
    /// An empty pool: scratch is not worth copying.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Pool {
    /// Scratch of an earlier run, or new.
    pub fn take(&self, plan: &Plan) -> Result<Scratch, RunError> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.map_or_else(|| Scratch::new(plan), Ok)
    }

    /// Gives scratch to later runs.
    pub fn put(&self, scratch: Scratch) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }
}

/// All memory of runs that keep the outputs of some operators only. The engine's first run packs weights beside it.
///
/// Outputs that are not kept share room with others that are not needed at the same time.
#[derive(Debug)]
pub struct Workspace {
    /// Rooms for outputs, each shared with the task that hashes what it holds.
    slots: Vec<Arc<Vec<u8>>>,
    /// Which room each operator writes.
    slot: Vec<usize>,
    kept: Vec<bool>,
    /// Bytes of each operator's output.
    bytes: Vec<usize>,
    /// Whose roots a run that commits takes, and the last run's roots.
    hashed: Vec<bool>,
    roots: Vec<OnceLock<TensorRoot>>,
    /// What stands in a room's place while it is written.
    nothing: Arc<Vec<u8>>,
    scratch: Scratch,
}

/// Which outputs outlive the operators that read them.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    /// Those that are asked for, until the next run.
    Keep,
    /// Those that are asked for, until they are hashed beside the next operators.
    Commit,
}

/// What one operator of a run took.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The operator.
    pub operator: OperatorIndex,
    /// How it ran: gemm, rows, lanes or reduce.
    pub way: &'static str,
    /// For how long.
    pub time: Duration,
}

impl Workspace {
    fn new(
        plan: &Plan,
        purpose: Purpose,
        wanted: impl IntoIterator<Item = OperatorIndex>,
    ) -> Result<Self, RunError> {
        let count = plan.operators.len();
        let (mut kept, mut hashed) = (vec![false; count], vec![false; count]);
        for index in wanted {
            match purpose {
                Purpose::Keep => kept[index.0 as usize] = true,
                Purpose::Commit => hashed[index.0 as usize] = true,
            }
        }
        kept[count - 1] = true;
        let mut last_reader: Vec<usize> = (0..count).collect();
        for (reader, operator) in plan.operators.iter().enumerate() {
            for source in operator.sources() {
                if let Place::Output(earlier) = source {
                    last_reader[earlier] = reader;
                }
            }
        }
        let bytes: Vec<usize> = plan.operators.iter().map(|operator| operator.output_bytes()).collect();
        // Each room's size, and the operator that it was made for.
        let mut rooms: Vec<(usize, usize)> = Vec::new();
        // The rooms of outputs that are not kept, each with the last operator that reads what it holds.
        let mut shared: Vec<(usize, usize)> = Vec::new();
        let mut slot = Vec::with_capacity(count);
        for (index, need) in bytes.iter().copied().enumerate() {
            if kept[index] {
                slot.push(rooms.len());
                rooms.push((need, index));
                continue;
            }
            // What is hashed is read once more, beside the next operators.
            let until = if hashed[index] {
                last_reader[index].max(index + HASHED_BESIDE)
            } else {
                last_reader[index]
            };
            // Of the rooms whose output nobody reads from here on, the one that has to grow or waste least.
            let free = shared.iter_mut().filter(|(_, until)| *until < index);
            let best = free.min_by_key(|(room, _)| (need.saturating_sub(rooms[*room].0), rooms[*room].0));
            let room = match best {
                Some((room, held)) => {
                    *held = until;
                    *room
                }
                None => {
                    rooms.push((0, index));
                    shared.push((rooms.len() - 1, until));
                    rooms.len() - 1
                }
            };
            rooms[room].0 = rooms[room].0.max(need);
            slot.push(room);
        }
        let slots =
            rooms.iter().map(|(size, first)| zeroed(OperatorIndex(*first as u32), *size).map(Arc::new));
        let slots = slots.collect::<Result<_, _>>()?;
        let roots = vec![OnceLock::new(); count];
        let (nothing, scratch) = (Arc::default(), Scratch::new(plan)?);
        Ok(Self { slots, slot, kept, bytes, hashed, roots, nothing, scratch })
    }

    /// The root of the output of an operator whose output is hashed, if the last run committed; after one that failed, of
    /// some of them.
    #[must_use]
    pub fn root(&self, operator: OperatorIndex) -> Option<TensorRoot> {
        self.roots.get(operator.0 as usize)?.get().copied()
    }

    /// The canonical output bytes of a kept operator, as the last run left them; `None` for an operator that is not kept.
    #[must_use]
    pub fn output(&self, operator: OperatorIndex) -> Option<&[u8]> {
        let index = operator.0 as usize;
        let kept = self.kept.get(index).copied().unwrap_or(false);
        kept.then(|| &self.slots[self.slot[index]][..self.bytes[index]])
    }

    /// The program's output, as the last run left it.
    #[must_use]
    pub fn last(&self) -> &[u8] {
        let index = self.slot.len() - 1;
        &self.slots[self.slot[index]][..self.bytes[index]]
    }

    /// The kept operators, in order.
    pub fn kept(&self) -> impl Iterator<Item = OperatorIndex> {
        self.kept.iter().enumerate().filter(|(_, kept)| **kept).map(|(index, _)| OperatorIndex(index as u32))
    }

    /// What a run writes, and where it leaves the roots of those outputs that are hashed: none yet.
    fn parts(&mut self) -> (Rooms<'_>, &[OnceLock<TensorRoot>], &[bool]) {
        let Self { slots, slot, bytes, hashed, roots, nothing, scratch, .. } = self;
        roots.fill(OnceLock::new());
        (Rooms { slots, slot, bytes, nothing, scratch }, roots, hashed)
    }

    /// Bytes of all rooms for outputs.
    #[must_use]
    pub fn output_bytes(&self) -> usize {
        self.slots.iter().map(|room| room.len()).sum()
    }
}

/// What of a workspace the operators of a run write.
struct Rooms<'a> {
    slots: &'a mut [Arc<Vec<u8>>],
    slot: &'a [usize],
    bytes: &'a [usize],
    nothing: &'a Arc<Vec<u8>>,
    scratch: &'a mut Scratch,
}

/// The room, once nobody hashes what it holds any more; until then this thread hashes, too.
fn free(room: &mut Arc<Vec<u8>>) -> &mut Vec<u8> {
    while Arc::get_mut(room).is_none() {
        if rayon::yield_now() != Some(rayon::Yield::Executed) {
            std::thread::yield_now();
        }
    }
    Arc::get_mut(room).expect("nobody else holds it")
}

impl Engine {
    /// Memory for runs that keep the outputs of the operators `keep`, and of the last.
    ///
    /// # Errors
    /// When it does not fit into memory.
    ///
    /// # Panics
    /// When the program has no such operator.
    pub fn workspace(&self, keep: impl IntoIterator<Item = OperatorIndex>) -> Result<Workspace, RunError> {
        Workspace::new(&self.plan, Purpose::Keep, keep)
    }

    /// Memory for runs that hash the outputs of the operators `exports`, and keep that of the last operator.
    ///
    /// # Errors
    /// When it does not fit into memory.
    ///
    /// # Panics
    /// When the program has no such operator.
    pub fn committing(
        &self,
        exports: impl IntoIterator<Item = OperatorIndex>,
    ) -> Result<Workspace, RunError> {
        Workspace::new(&self.plan, Purpose::Commit, exports)
    }

    /// Evaluates the program in `workspace`, which this engine made; the kept outputs are then read from there.
    ///
    /// # Errors
    /// When `input` is not the canonical bytes of the program's input tensor, or packed weights do not fit into memory.
    ///
    /// # Panics
    /// When another program's engine made `workspace`.
    pub fn run_in(&self, workspace: &mut Workspace, input: &[u8]) -> Result<(), RunError> {
        self.check(input)?;
        // From inside the pool, an operator's tasks start without waking anybody for each.
        rayon::scope(|_| self.run_layers(workspace.parts().0, input, |_, _, _| {}))
    }

    /// As [`Engine::run_in`], and takes the roots of the outputs that `workspace` was made to hash
    /// ([`Engine::committing`]): each beside the next operators, while the output is in cache and where threads would wait
    /// for an operator's last task.
    ///
    /// # Errors
    /// As [`Engine::run_in`].
    ///
    /// # Panics
    /// As [`Engine::run_in`].
    pub fn commit_in(&self, workspace: &mut Workspace, input: &[u8]) -> Result<(), RunError> {
        self.check(input)?;
        let (rooms, roots, hashed) = workspace.parts();
        rayon::scope(|scope| {
            self.run_layers(rooms, input, |index, output, room| {
                if hashed[index] {
                    let (room, root) = (Arc::clone(room), &roots[index]);
                    scope.spawn(move |_| {
                        let _ = root.set(TensorRoot(TensorTree::root_of_bytes(&room[..output])));
                    });
                }
            })
        })
    }

    /// As [`Engine::run_in`], and says what each operator took.
    ///
    /// # Errors
    /// As [`Engine::run_in`].
    ///
    /// # Panics
    /// As [`Engine::run_in`].
    pub fn time_in(&self, workspace: &mut Workspace, input: &[u8]) -> Result<Vec<Timing>, RunError> {
        self.check(input)?;
        let mut timings = Vec::with_capacity(self.plan.operators.len());
        rayon::scope(|_| {
            let mut begin = Instant::now();
            self.run_layers(workspace.parts().0, input, |index, _, _| {
                let way = match self.plan.operators[index].way {
                    Way::Gemm(_) => "gemm",
                    Way::Rows { .. } => "rows",
                    Way::Lanes { .. } => "lanes",
                    Way::Reduce { .. } => "reduce",
                };
                timings.push(Timing { operator: OperatorIndex(index as u32), way, time: begin.elapsed() });
                begin = Instant::now();
            })
        })?;
        Ok(timings)
    }

    fn run_layers(
        &self,
        rooms: Rooms<'_>,
        input: &[u8],
        mut after: impl FnMut(usize, usize, &Arc<Vec<u8>>),
    ) -> Result<(), RunError> {
        let Rooms { slots, slot, bytes, nothing, scratch } = rooms;
        assert_eq!(bytes.len(), self.plan.operators.len(), "a workspace of this engine");
        for (index, operator) in self.plan.operators.iter().enumerate() {
            assert_eq!(bytes[index], operator.output_bytes(), "a workspace of this engine");
            let mut room = std::mem::replace(&mut slots[slot[index]], Arc::clone(nothing));
            assert!(!Arc::ptr_eq(&room, nothing), "no panic cut a run in this workspace short");
            let output = |earlier: usize| &slots[slot[earlier]][..bytes[earlier]];
            let operands = self.operands(operator, input, output, |_| true);
            let done = self.evaluate(index, operands, &mut free(&mut room)[..bytes[index]], scratch);
            slots[slot[index]] = room;
            done?;
            after(index, bytes[index], &slots[slot[index]]);
        }
        Ok(())
    }
}
