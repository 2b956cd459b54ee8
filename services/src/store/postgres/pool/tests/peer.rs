//! [`Peer`]: the server's end of a connection, which understands what it is sent and answers when it is told to.

use std::collections::VecDeque;

use crate::store::postgres::wire::server::{
    admission, complete, error, message, notice, ready, row, settings,
};

/// A server's end of a connection.
#[derive(Default)]
pub(super) struct Peer {
    /// What is not answered, up to each Sync.
    segments: VecDeque<Vec<Said>>,
    /// What has come since the last Sync.
    said: Vec<Said>,
    /// How often it was asked what it is like: at the start, and whether it is still there.
    checks: usize,
    /// It answers nothing any more.
    pub(super) hangs: bool,
}

/// How often a server is asked what it is like at the start.
const CHECKS: usize = 3;

/// A message of the client.
#[derive(Clone, Debug)]
enum Said {
    Parse(String),
    Bind(Vec<i64>),
    Execute,
}

/// What a server answers to a flight.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// Each statement returns its parameter.
    Success,
    /// The same, of which none has changed anything.
    NoChange,
    /// The first statement fails.
    Error(&'static str),
    /// The commit fails.
    CommitError(&'static str),
    /// The server no longer waits for its replica, and says that all is well.
    Doubt,
}

impl Peer {
    /// All that a server says until a connection is ready.
    pub(super) fn start() -> Vec<u8> {
        [admission(), settings(&["off", "on", "on"])].concat()
    }

    /// Whether it was asked once more what it is like, which is to be answered if it is. Until then that is forgotten.
    pub(super) fn is_asked_again(&mut self) -> bool {
        let is_asked = self.checks > CHECKS;
        self.checks = self.checks.min(CHECKS);
        is_asked
    }

    /// What it says then: whether it is read-only.
    pub(super) fn is_read_only(value: &str) -> Vec<u8> {
        settings(&[value])
    }

    /// Takes what a client says once it is let in. Questions about what it is like, which are parsed like all else, are only
    /// counted.
    pub(super) fn receive(&mut self, mut bytes: &[u8]) {
        // What comes before has no tag: a start, or a question about TLS.
        while let [tag @ b'A'..=b'z', rest @ ..] = bytes {
            let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
            let body = &rest[4..length];
            match tag {
                b'P' => self.said.push(Said::Parse(texts(body)[1].clone())),
                b'B' => self.said.push(Said::Bind(parameters(body))),
                b'E' => self.said.push(Said::Execute),
                b'S' => self.segments.push_back(std::mem::take(&mut self.said)),
                other => panic!("{other}"),
            }
            bytes = &rest[length..];
        }
        let is_check = |segment: &Vec<Said>| matches!(segment.first(), Some(Said::Parse(sql)) if sql.starts_with("SHOW"));
        self.checks += self.segments.iter().filter(|segment| is_check(segment)).count();
        self.segments.retain(|segment| !is_check(segment));
    }

    /// The parameters of the statements of each flight that is not answered.
    pub(super) fn flights(&self) -> Vec<Vec<i64>> {
        let is_commit = |segment: &&Vec<Said>| is_of(segment, "COMMIT");
        self.segments.iter().filter(|segment| !is_commit(segment)).map(|segment| values(segment)).collect()
    }

    /// Answers the first flight.
    pub(super) fn answer(&mut self, answer: Answer) -> Vec<u8> {
        let segment = self.segments.pop_front().expect("there is a flight");
        let tag = if let Answer::NoChange = answer { "UPDATE 0" } else { "UPDATE 1" };
        if !is_of(&segment, "BEGIN") {
            return match answer {
                Answer::Success | Answer::NoChange => [served(&segment, tag), ready(b'I')].concat(),
                Answer::Error(code) => [error("ERROR", code), ready(b'I')].concat(),
                Answer::CommitError(code) => {
                    [served(&segment, tag), error("ERROR", code), ready(b'I')].concat()
                }
                Answer::Doubt => [notice("SyncRepWaitForLSN"), served(&segment, tag), ready(b'I')].concat(),
            };
        }
        let commit = self.segments.pop_front().expect("the commit comes with it");
        assert!(is_of(&commit, "COMMIT"));
        match answer {
            Answer::Success | Answer::NoChange => {
                [served(&segment, tag), ready(b'T'), served(&commit, tag), ready(b'I')].concat()
            }
            Answer::Error(code) => {
                let begun = [message(b'1', &[]), message(b'2', &[]), complete("BEGIN")].concat();
                let undone = [message(b'1', &[]), message(b'2', &[]), complete("ROLLBACK")].concat();
                [begun, error("ERROR", code), ready(b'E'), undone, ready(b'I')].concat()
            }
            Answer::CommitError(code) => {
                [served(&segment, tag), ready(b'T'), error("ERROR", code), ready(b'I')].concat()
            }
            Answer::Doubt => {
                let noticed = notice("SyncRepWaitForLSN");
                [served(&segment, tag), ready(b'T'), noticed, served(&commit, tag), ready(b'I')].concat()
            }
        }
    }
}

fn is_of(segment: &[Said], sql: &str) -> bool {
    matches!(segment.first(), Some(Said::Parse(first)) if first == sql)
}

fn values(segment: &[Said]) -> Vec<i64> {
    let of = |said: &Said| match said {
        Said::Bind(values) => values.clone(),
        _ => Vec::new(),
    };
    segment.iter().flat_map(of).collect()
}

/// The answer to statements that all succeed, with this tag. Each returns its parameter, if it has one.
fn served(segment: &[Said], tag: &str) -> Vec<u8> {
    let mut served = Vec::new();
    let mut returned = None;
    for said in segment {
        match said {
            Said::Parse(_) => served.extend(message(b'1', &[])),
            Said::Bind(values) => {
                served.extend(message(b'2', &[]));
                returned = values.first().copied();
            }
            Said::Execute => {
                let bytes = returned.take().map(i64::to_be_bytes);
                served.extend(bytes.map(|bytes| row(&[Some(&bytes)])).unwrap_or_default());
                let tag = if is_of(segment, "COMMIT") { "COMMIT" } else { tag };
                served.extend(complete(tag));
            }
        }
    }
    served
}

fn texts(body: &[u8]) -> Vec<String> {
    body.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

/// The parameters of a Bind, each a `bigint` and all with one format.
fn parameters(body: &[u8]) -> Vec<i64> {
    let names: usize = texts(body)[..2].iter().map(|name| name.len() + 1).sum();
    let rest = &body[names + 4..];
    let (count, mut rest) = rest.split_at(2);
    let mut values = Vec::new();
    for _ in 0..u16::from_be_bytes(count.try_into().unwrap()) {
        values.push(i64::from_be_bytes(rest[4..12].try_into().unwrap()));
        rest = &rest[12..];
    }
    values
}
