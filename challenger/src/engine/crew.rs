//! How threads share an operator's regions.
//!
//! An operator takes some hundred microseconds, and a sleeping thread tens of them to wake: so none of the pool's threads falls
//! asleep while a program runs, and who is done before the others waits awake.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::EngineError;

/// Does some work on a thread of rayon's pool while the others stay awake and do what it shares.
pub(crate) fn awake<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    /// Set when the work is done, also where it panics.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    rayon::scope(|scope| {
        let _over = Over(&over);
        for _ in 1..rayon::current_num_threads() {
            scope.spawn(|_| {
                while !over.load(Ordering::Relaxed) {
                    if rayon::yield_now() != Some(rayon::Yield::Executed) {
                        std::hint::spin_loop();
                    }
                }
            });
        }
        work()
    })
}

/// Does every task, each once, on this and other threads of rayon's pool, on at most so many at a time.
///
/// # Errors
/// The first that a task ends with; tasks that nobody has begun are left out then.
pub(crate) fn shared<T: Send>(
    tasks: Vec<T>,
    at_once: usize,
    work: impl Fn(T) -> Result<(), EngineError> + Sync,
) -> Result<(), EngineError> {
    /// One task less, also where it panics.
    struct Done<'a>(&'a AtomicUsize);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Release);
        }
    }
    let (count, left) = (tasks.len(), AtomicUsize::new(tasks.len()));
    let tasks = Mutex::new(tasks.into_iter());
    let failure = Mutex::new(None);
    let some = || {
        loop {
            let next = tasks.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(task) = next else { return };
            let _done = Done(&left);
            if let Err(error) = work(task) {
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                // Who takes the rest need not wait for it.
                let rest = tasks.lock().unwrap_or_else(PoisonError::into_inner).by_ref().count();
                left.fetch_sub(rest, Ordering::Release);
            }
        }
    };
    rayon::scope(|scope| {
        for _ in 1..rayon::current_num_threads().min(count).min(at_once) {
            scope.spawn(|_| some());
        }
        some();
        let mut rounds = 0u32;
        while left.load(Ordering::Acquire) > 0 {
            rounds = rounds.wrapping_add(1);
            // Where there are more threads than cores, the others need this one's.
            if rounds.is_multiple_of(256) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once() {
        for count in [0, 1, 2, 7, 1000] {
            let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            let work = |task: usize| {
                done[task].fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            assert_eq!(awake(|| shared((0..count).collect(), usize::MAX, work)), Ok(()));
            assert!(done.iter().all(|done| done.load(Ordering::Relaxed) == 1), "{count}");
        }
    }

    #[test]
    fn no_more_at_a_time_than_may_be() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("threads start");
        for at_once in [1, 2, 3] {
            let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let work = |()| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(1));
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            };
            pool.install(|| awake(|| shared(vec![(); 40], at_once, work))).expect("no error");
            let most = most.into_inner();
            assert!((1..=at_once).contains(&most), "{most} at a time, {at_once} may be");
        }
    }

    #[test]
    fn an_error_ends_it_and_comes_back() {
        let done = AtomicUsize::new(0);
        let error = EngineError::Device("the third".into());
        let work = |task: usize| {
            done.fetch_add(1, Ordering::Relaxed);
            if task == 2 { Err(error.clone()) } else { Ok(()) }
        };
        assert_eq!(awake(|| shared((0..100_000).collect(), usize::MAX, work)), Err(error.clone()));
        assert!((3..100_000).contains(&done.load(Ordering::Relaxed)), "the rest is left out");
    }

    #[test]
    fn a_panic_comes_back_and_leaves_nobody_waiting() {
        for thrower in [0, 5] {
            let work = |task: usize| {
                assert_ne!(task, thrower, "as it should");
                Ok(())
            };
            let caught = std::panic::catch_unwind(|| awake(|| shared((0..10).collect(), usize::MAX, work)));
            assert!(caught.is_err());
        }
        assert_eq!(awake(|| shared(vec![1, 2, 3], 2, |_| Ok(()))), Ok(()), "the pool goes on");
    }

    #[test]
    fn passes_within_passes_and_beside_them_end() {
        let within = || awake(|| shared(vec![(); 4], 3, |()| awake(|| shared(vec![(); 4], 4, |()| Ok(())))));
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(within)).collect();
            all.into_iter().for_each(|one| assert_eq!(one.join().expect("no panic"), Ok(())));
        });
    }
}
