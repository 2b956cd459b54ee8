//! Carries out what a plan asks for: many calls at once, over several connections, each of which has a bounded number of
//! them under way. Nothing is called twice, and of each call it is told what is known of its outcome.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use indicatif::ProgressBar;
use serde_json::value::RawValue;

use super::item::price;
use super::plan::{Change, Task};
use super::under_way::UnderWay;
use crate::client::{CallError, Client, Data, ServiceError, raw};

/// So many connections share their commits, which are most of what a change waits for.
pub(crate) const CONNECTIONS: usize = 8;
/// So many calls are under way over one connection. A frontend carries them out one after another.
const PIPELINED: usize = 8;

/// What is known of a call.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Nothing was changed, and nothing is known against calling it again.
    NotDone,
    /// It is done.
    Done,
    /// It cannot be done.
    Refused(ServiceError),
    /// It may have been done.
    Unknown,
}

/// Why calls were not made.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The session has ended.
    Session(CallError),
    /// Something else keeps the service from answering.
    Failed(CallError),
}

/// What came of all tasks.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// One for each task.
    pub(crate) answers: Vec<Answer>,
    /// Why there is an answer that nothing was done, unless somebody asked for it.
    pub(crate) stop: Option<Stop>,
}

/// Who is told how it goes on, and may end it.
pub(crate) struct Watch<'a> {
    pub(crate) bar: &'a ProgressBar,
    /// Where it is kept that something is about to be sent.
    pub(crate) mark: Option<&'a UnderWay>,
    /// Whether nothing more is to be sent.
    pub(crate) is_stopped: &'a AtomicBool,
}

impl Outcome {
    /// The places of the tasks of which it is certain that nothing was done, and that may be tried again.
    pub(crate) fn not_done(&self) -> Vec<usize> {
        let answers = self.answers.iter().enumerate();
        answers.filter(|(_, answer)| matches!(answer, Answer::NotDone)).map(|(place, _)| place).collect()
    }

    /// Whether it is not known of each whether it was done.
    pub(crate) fn has_unknown(&self) -> bool {
        self.answers.iter().any(|answer| matches!(answer, Answer::Unknown))
    }
}

/// Carries out tasks over as many connections as there are clients. Over one, they are done in their order.
pub(crate) fn carry_out(
    clients: Vec<Client>,
    session_id: &str,
    tasks: &[Task],
    watch: &Watch<'_>,
) -> Outcome {
    let chunks = tasks.chunk_by(|a, b| api(a) == api(b)).flat_map(|alike| alike.chunks(PIPELINED)).collect();
    let work = Work { session_id, chunks, next: AtomicUsize::new(0), done: Mutex::default(), watch };
    thread::scope(|scope| {
        let mut clients = clients.into_iter();
        let own = clients.next();
        for client in clients {
            // What no thread could be had for is done by the others.
            let _ = thread::Builder::new().spawn_scoped(scope, || work.go_through(client));
        }
        own.map(|client| work.go_through(client))
    });
    work.outcome()
}

/// Tasks that several threads share.
struct Work<'a> {
    session_id: &'a str,
    /// Tasks of the same API, to be sent together.
    chunks: Vec<&'a [Task]>,
    /// The first chunk that nobody has taken.
    next: AtomicUsize,
    done: Mutex<Done>,
    watch: &'a Watch<'a>,
}

#[derive(Default)]
struct Done {
    /// The answers of a chunk, and which one it is.
    chunks: Vec<(usize, Vec<Answer>)>,
    stop: Option<Stop>,
}

impl Work<'_> {
    /// Takes chunk after chunk, until there are none or something keeps all from going on.
    fn go_through(&self, mut client: Client) {
        while !self.watch.is_stopped.load(Ordering::Relaxed) && self.done().stop.is_none() {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = self.chunks.get(place) else { return };
            let (answers, stop) = self.call(&mut client, chunk);
            let known = answers.iter().filter(|answer| !matches!(answer, Answer::NotDone));
            self.watch.bar.inc(known.count() as u64);
            let mut done = self.done();
            done.chunks.push((place, answers));
            if done.stop.is_none() {
                done.stop = stop;
            }
        }
    }

    fn call(&self, client: &mut Client, chunk: &[Task]) -> (Vec<Answer>, Option<Stop>) {
        let data: Vec<Data> = chunk.iter().map(|task| data(task, self.session_id)).collect();
        // Until there is a connection, nothing is sent that could get lost.
        let called = client.connect().and_then(|()| {
            self.watch.mark.inspect(|mark| mark.go_on());
            client.call_all(api(&chunk[0]), &data)
        });
        match called {
            Ok(replies) => {
                let mut stop = None;
                let answers = replies.into_iter().map(|reply| answer(reply, &mut stop)).collect();
                (answers, stop)
            }
            Err(error) => {
                let is_sent = !matches!(error, CallError::CannotConnect(_));
                let answer = || if is_sent { Answer::Unknown } else { Answer::NotDone };
                (chunk.iter().map(|_| answer()).collect(), Some(Stop::Failed(error)))
            }
        }
    }

    fn done(&self) -> MutexGuard<'_, Done> {
        // What a thread adds is whole.
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcome(self) -> Outcome {
        let done = self.done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut answers: Vec<Option<Vec<Answer>>> = self.chunks.iter().map(|_| None).collect();
        for (place, of_chunk) in done.chunks {
            answers[place] = Some(of_chunk);
        }
        let not_done = |chunk: &&[Task]| chunk.iter().map(|_| Answer::NotDone).collect();
        let all = self.chunks.iter().zip(answers);
        let answers = all.flat_map(|(chunk, answers)| answers.unwrap_or_else(|| not_done(chunk))).collect();
        Outcome { answers, stop: done.stop }
    }
}

/// What a reply says, and whether it keeps others from being sent.
fn answer(reply: Result<Box<RawValue>, ServiceError>, stop: &mut Option<Stop>) -> Answer {
    let refusal = match reply {
        Ok(_) => return Answer::Done,
        Err(refusal) => refusal,
    };
    match refusal.code.as_str() {
        _ if refusal.says_not_logged_in() => {
            stop.get_or_insert(Stop::Session(CallError::Refused(refusal)));
            Answer::NotDone
        }
        "RESOURCE_EXHAUSTED" => {
            stop.get_or_insert(Stop::Failed(CallError::Refused(refusal)));
            Answer::NotDone
        }
        "UNAVAILABLE" | "INTERNAL" => {
            stop.get_or_insert(Stop::Failed(CallError::Refused(refusal)));
            Answer::Unknown
        }
        _ => Answer::Refused(refusal),
    }
}

fn api(task: &Task) -> &'static str {
    match task.change {
        Change::Register(_) => "RegisterItemForSale",
        Change::Price { .. } => "ChangeItemPrice",
        Change::Units { .. } => "UpdateUnitsForSale",
    }
}

fn data(task: &Task, session_id: &str) -> Data {
    let mut data = match &task.change {
        Change::Register(row) => row.registration(),
        Change::Price { item_id, cents, .. } => {
            Data::from([("item_id", raw(item_id)), ("price", price(*cents))])
        }
        Change::Units { item_id, before, quantity } => {
            let delta = i64::from(*quantity) - i64::from(*before);
            Data::from([("item_id", raw(item_id)), ("quantity_delta", raw(&delta))])
        }
    };
    data.insert("session_id", raw(session_id));
    data
}
