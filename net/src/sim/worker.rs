//! [`SimWorker`]: the simulator's counterpart of a thread that does blocking work.

use std::collections::VecDeque;
use std::io;

use crate::{Waker, Work, Worker, Workers};

/// Does jobs in virtual time: they are done when the simulator has woken the node, some time after they
/// were submitted.
///
/// Whether a job takes effect right when it is submitted or only when it is reported is a matter of
/// chance, so that a crash in between shows both: work that is lost, and work that is done and that
/// nobody was told of. So is whether jobs that wait are joined.
pub struct SimWorker<W: Work> {
    work: W,
    jobs: VecDeque<Progress<W>>,
    waker: Waker,
    rng: fastrand::Rng,
}

enum Progress<W: Work> {
    Waiting(W::Job),
    Done(W::Done),
}

impl<W: Work> SimWorker<W> {
    /// A worker whose jobs wake the node that `waker` belongs to.
    pub fn new(work: W, waker: Waker, seed: u64) -> Self {
        Self { work, jobs: VecDeque::new(), waker, rng: fastrand::Rng::with_seed(seed) }
    }
}

impl<W: Work> Worker<W::Job, W::Done> for SimWorker<W> {
    fn submit(&mut self, job: W::Job) {
        // A job is not done before its predecessors.
        let idle = self.jobs.iter().all(|job| matches!(job, Progress::Done(_)));
        let progress =
            if idle && self.rng.bool() { Progress::Done(self.work.run(job)) } else { Progress::Waiting(job) };
        self.jobs.push_back(progress);
        self.waker.wake();
    }

    fn poll(&mut self) -> Option<W::Done> {
        let mut job = match self.jobs.pop_front()? {
            Progress::Waiting(job) => job,
            Progress::Done(done) => return Some(done),
        };
        // Behind a job that waits, all wait.
        while self.rng.bool()
            && let Some(Progress::Waiting(next)) = self.jobs.pop_front()
        {
            if let Some(left_over) = W::join(&mut job, next) {
                self.jobs.push_front(Progress::Waiting(left_over));
                break;
            }
        }
        Some(self.work.run(job))
    }
}

/// Starts workers that work in virtual time.
pub struct SimWorkers {
    waker: Waker,
    rng: fastrand::Rng,
}

impl SimWorkers {
    /// The workers will wake the node that `waker` belongs to.
    pub fn new(waker: Waker, seed: u64) -> Self {
        Self { waker, rng: fastrand::Rng::with_seed(seed) }
    }
}

impl Workers for SimWorkers {
    fn start<W: Work>(&mut self, _name: &str, work: W) -> io::Result<Box<dyn Worker<W::Job, W::Done>>> {
        Ok(Box::new(SimWorker::new(work, self.waker.clone(), self.rng.u64(..))))
    }
}
