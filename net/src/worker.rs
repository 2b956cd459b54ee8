//! Work that blocks (a disk, a hash, a name server), done off the reactor's thread.
//!
//! A service or a driver submits jobs to a [`Worker`] and polls for what is done when it is woken.
//! [`ThreadWorker`] is the worker of production; the simulator has one of its own, so that the
//! same [`Work`] runs in virtual time. How many jobs may wait is the submitter's to limit.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Something that turns jobs into results, one at a time and in order.
pub trait Work: Send + 'static {
    /// What is to be done.
    type Job: Send + 'static;
    /// What came of it.
    type Done: Send + 'static;

    /// How long to wait for a job before [`Work::idle`] is called, each time. By default, there is nothing to call.
    const IDLE_AFTER: Option<Duration> = None;

    /// Does one job. May block.
    fn run(&mut self, job: Self::Job) -> Self::Done;

    /// Called again and again while there is no job, for what is to be looked at now and then. What it returns reaches
    /// the submitter as the result of a job does. The simulator, in which nothing happens by itself, does not call it.
    fn idle(&mut self) -> Option<Self::Done> {
        None
    }

    /// Joins a job with the one that waits behind it, so that both are done as one, with one result. What cannot be
    /// joined is returned: by default, everything.
    fn join(_job: &mut Self::Job, next: Self::Job) -> Option<Self::Job> {
        Some(next)
    }
}

/// The submitter's end of a [`Work`].
pub trait Worker<J, D> {
    /// Hands over a job; the submitter is woken when it is done.
    fn submit(&mut self, job: J);

    /// Takes the next result, in the order of the jobs. Jobs that were joined have one result.
    fn poll(&mut self) -> Option<D>;
}

/// Starts workers: on threads in production, in virtual time in the simulator.
pub trait Workers {
    /// Starts a worker, which is called `name` where it shows.
    ///
    /// # Errors
    /// The system has no thread to give.
    fn start<W: Work>(&mut self, name: &str, work: W) -> io::Result<Box<dyn Worker<W::Job, W::Done>>>;
}

/// Starts workers that are threads.
pub struct Threads {
    waker: Waker,
    threads: Vec<JoinHandle<()>>,
}

impl Threads {
    /// The threads will wake the node that `waker` belongs to.
    pub fn new(waker: Waker) -> Self {
        Self { waker, threads: Vec::new() }
    }

    /// Waits for the end of all threads, which comes once their workers are dropped and their last jobs done.
    ///
    /// # Panics
    /// One of them panicked.
    pub fn join(self) {
        for thread in self.threads {
            thread.join().expect("a worker's thread panicked");
        }
    }
}

impl Workers for Threads {
    fn start<W: Work>(&mut self, name: &str, work: W) -> io::Result<Box<dyn Worker<W::Job, W::Done>>> {
        let (worker, thread) = ThreadWorker::spawn(name, work, self.waker.clone())?;
        self.threads.push(thread);
        Ok(Box::new(worker))
    }
}

/// Wakes a node: its service gets [`Event::Wake`](crate::Event::Wake) soon after.
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    /// A waker that calls `wake`, from any thread.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Wakes the node. Several wakes may become one event.
    pub fn wake(&self) {
        (self.0)();
    }
}

/// A [`Work`] on a thread of its own.
pub struct ThreadWorker<J, D> {
    jobs: Sender<J>,
    done: Receiver<D>,
}

impl<J: Send + 'static, D: Send + 'static> ThreadWorker<J, D> {
    /// Starts the thread, named `name`. It ends once the worker is dropped and its last job is done; whoever
    /// must not go on before that joins the handle.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn spawn<W>(name: &str, mut work: W, waker: Waker) -> io::Result<(Self, JoinHandle<()>)>
    where
        W: Work<Job = J, Done = D>,
    {
        let (jobs, jobs_in) = channel::<J>();
        let (done_out, done) = channel();
        let thread = spawn_thread(name, move || {
            let mut left_over = None;
            while let Some(result) = next_result(&jobs_in, &mut work, &mut left_over) {
                if done_out.send(result).is_err() {
                    return;
                }
                waker.wake();
            }
        })?;
        Ok((Self { jobs, done }, thread))
    }
}

/// Does the next job, the one that was left over or one that is waited for, or what is to be done while there is none;
/// `None` if none can come any more.
fn next_result<W: Work>(
    jobs: &Receiver<W::Job>,
    work: &mut W,
    left_over: &mut Option<W::Job>,
) -> Option<W::Done> {
    loop {
        let job = match (left_over.take(), W::IDLE_AFTER) {
            (Some(job), _) => Some(job),
            (None, None) => Some(jobs.recv().ok()?),
            (None, Some(idle_after)) => match jobs.recv_timeout(idle_after) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return None,
            },
        };
        if let Some(mut job) = job {
            *left_over = jobs.try_iter().find_map(|next| W::join(&mut job, next));
            return Some(work.run(job));
        }
        if let Some(done) = work.idle() {
            return Some(done);
        }
    }
}

impl<J, D> Worker<J, D> for ThreadWorker<J, D> {
    fn submit(&mut self, job: J) {
        assert!(self.jobs.send(job).is_ok(), "the worker's thread is gone");
    }

    fn poll(&mut self) -> Option<D> {
        match self.done.try_recv() {
            Ok(done) => Some(done),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => panic!("the worker's thread is gone"),
        }
    }
}

/// What limits the threads and processes of a system.
pub const THREAD_LIMITS: &str =
    "the user's limit is RLIMIT_NPROC (`ulimit -u`), that of a container or unit is pids.max of its cgroup";

/// Starts a thread.
///
/// # Errors
/// The system has none to give; see [`no_thread`].
pub fn spawn_thread(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let thread = thread::Builder::new().name(name.into()).spawn(run);
    thread.map_err(|error| no_thread(name, &error))
}

/// What is to be said if the system has no thread to give.
pub fn no_thread(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot start the thread `{name}`: {error}; {THREAD_LIMITS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Double;

    impl Work for Double {
        type Job = u32;
        type Done = u32;

        fn run(&mut self, job: u32) -> u32 {
            job * 2
        }
    }

    #[test]
    fn results_come_in_the_order_of_the_jobs_and_wake_the_submitter() {
        let (woken_out, woken) = channel();
        let waker = Waker::new(move || woken_out.send(()).expect("the test listens"));
        let (mut worker, thread) = ThreadWorker::spawn("double", Double, waker).expect("a thread");
        worker.submit(1);
        worker.submit(2);
        woken.recv().expect("a wake for each job");
        woken.recv().expect("a wake for each job");
        assert_eq!(worker.poll(), Some(2));
        assert_eq!(worker.poll(), Some(4));
        assert_eq!(worker.poll(), None);
        drop(worker);
        thread.join().expect("the thread ends with its worker");
    }

    /// Tells when it has nothing to do, and reports each second time.
    struct Bored(Sender<()>, u32);

    impl Work for Bored {
        type Job = ();
        type Done = u32;
        const IDLE_AFTER: Option<Duration> = Some(Duration::from_millis(1));

        fn run(&mut self, (): ()) -> u32 {
            0
        }

        fn idle(&mut self) -> Option<u32> {
            // It fails when the test has heard enough.
            let _ = self.0.send(());
            self.1 += 1;
            self.1.is_multiple_of(2).then_some(self.1)
        }
    }

    #[test]
    fn a_worker_without_jobs_is_called_again_and_again_and_still_ends() {
        let (idle_out, idle) = channel();
        let (woken_out, woken) = channel();
        let waker = Waker::new(move || {
            // It fails when the test has heard enough.
            let _ = woken_out.send(());
        });
        let (mut worker, thread) = ThreadWorker::spawn("bored", Bored(idle_out, 0), waker).expect("a thread");
        (0..3).for_each(|_| idle.recv().expect("it has nothing to do"));
        woken.recv().expect("a wake for a result");
        assert_eq!(worker.poll(), Some(2), "what it finds meanwhile is a result too");
        drop(worker);
        thread.join().expect("the thread ends with its worker");
    }

    /// Adds up what can be added without reaching a hundred, once it may.
    struct Sum(Receiver<()>);

    impl Work for Sum {
        type Job = u32;
        type Done = u32;

        fn run(&mut self, job: u32) -> u32 {
            self.0.recv().expect("the test says when");
            job
        }

        fn join(job: &mut u32, next: u32) -> Option<u32> {
            if *job + next >= 100 {
                return Some(next);
            }
            *job += next;
            None
        }
    }

    #[test]
    fn jobs_that_wait_are_joined_as_far_as_they_can_be() {
        let (woken_out, woken) = channel();
        let (go, may_go) = channel();
        let waker = Waker::new(move || woken_out.send(()).expect("the test listens"));
        let (mut worker, _) = ThreadWorker::spawn("sum", Sum(may_go), waker).expect("a thread");
        // Whether or not the first is under way before the second comes, nothing can be added to it.
        [99, 1, 2, 97, 3].into_iter().for_each(|job| worker.submit(job));
        for result in [99, 1 + 2, 97, 3] {
            go.send(()).expect("the worker waits");
            woken.recv().expect("a wake for each result");
            assert_eq!(worker.poll(), Some(result));
        }
    }
}
