//! [`run_seeds`]: many seeds over all cores.

use std::any::Any;
use std::ops::{ControlFlow, Range};
use std::sync::{Mutex, MutexGuard};
use std::thread;

use crate::counters::Counters;

/// A seed whose run has panicked, and with which words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The seed.
    pub seed: u64,
    /// What the panic says.
    pub message: String,
}

/// Runs each seed in a thread of its own, as many at a time as there are cores. What fails is reported at once, too,
/// and whoever is told decides whether further ones begin.
pub fn run_seeds(
    seeds: Range<u64>,
    run: impl Fn(u64) -> Counters + Sync,
    report: impl Fn(&Failed) -> ControlFlow<()> + Sync,
) -> (Counters, Vec<Failed>) {
    let left = Mutex::new(seeds);
    let found = Mutex::new((Counters::default(), Vec::new()));
    let next = || held(&left).next();
    let work = || {
        while let Some(seed) = next() {
            let result = run_one(seed, &run);
            if let Err(failed) = &result
                && report(failed).is_break()
            {
                *held(&left) = 0..0;
            }
            let (met, failed) = &mut *held(&found);
            match result {
                Ok(counters) => *met += counters,
                Err(one) => failed.push(one),
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..cores).for_each(|_| _ = scope.spawn(work)));
    let (met, mut failed) = found.into_inner().expect("nothing panics while it is held");
    failed.sort_by_key(|failed: &Failed| failed.seed);
    (met, failed)
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it is held")
}

/// Runs a seed in a thread that bears its name, which a panic tells.
fn run_one(seed: u64, run: &(impl Fn(u64) -> Counters + Sync)) -> Result<Counters, Failed> {
    let result = thread::scope(|scope| {
        let thread = thread::Builder::new().name(format!("seed {seed}")).spawn_scoped(scope, || run(seed));
        thread.map_err(|error| error.to_string())?.join().map_err(|panic| said(&*panic))
    });
    result.map_err(|message| Failed { seed, message })
}

fn said(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = literal.or_else(|| panic.downcast_ref::<String>().cloned());
    message.unwrap_or_else(|| "it says nothing".to_owned())
}
