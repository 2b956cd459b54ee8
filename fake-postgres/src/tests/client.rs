//! [`Clients`]: several clients of an engine, whose host brings commits to disk at once unless it is told not to.

use std::collections::{BTreeMap, VecDeque};

use crate::{Commit, Engine, Isolation, Output, Session};

pub(super) struct Clients {
    pub(super) engine: Engine,
    sessions: BTreeMap<usize, Session>,
    /// What each session has received.
    received: BTreeMap<Session, Vec<u8>>,
    pub(super) ended: Vec<Session>,
    /// What is on its way to disk, if that takes time.
    pub(super) commits: VecDeque<Commit>,
    pub(super) is_slow: bool,
}

impl Clients {
    pub(super) fn new(isolation: Isolation) -> Self {
        Self::of(Engine::new(isolation, 7))
    }

    pub(super) fn of(engine: Engine) -> Self {
        Self {
            engine,
            sessions: BTreeMap::new(),
            received: BTreeMap::new(),
            ended: Vec::new(),
            commits: VecDeque::new(),
            is_slow: false,
        }
    }

    /// The session of a client, which connects if it has none.
    pub(super) fn session(&mut self, client: usize) -> Session {
        if let Some(session) = self.sessions.get(&client) {
            return *session;
        }
        let session = self.engine.open();
        self.sessions.insert(client, session);
        self.send(session, &start());
        let admission = self.take(session);
        assert!(admission.starts_with("R ") && admission.ends_with("Z I"), "{admission}");
        session
    }

    /// The same, if it has one.
    pub(super) fn known(&self, client: usize) -> Option<Session> {
        self.sessions.get(&client).copied()
    }

    pub(super) fn send(&mut self, session: Session, bytes: &[u8]) {
        self.engine.received(session, bytes);
        self.settle();
    }

    /// Does what the engine asks its host for.
    pub(super) fn settle(&mut self) {
        while let Some((session, output)) = self.engine.next_output() {
            match output {
                Output::Bytes(bytes) => self.received.entry(session).or_default().extend(bytes),
                Output::End => self.ended.push(session),
                Output::Commit(commit) if self.is_slow => self.commits.push_back(commit),
                Output::Commit(commit) => self.engine.committed(commit),
            }
        }
    }

    /// Brings the oldest commit to disk.
    pub(super) fn flush(&mut self) {
        let commit = self.commits.pop_front().expect("something is to be committed");
        self.engine.committed(commit);
        self.settle();
    }

    /// Has a client carry out a statement, and returns what it is told; nothing if it has to wait.
    pub(super) fn ask(&mut self, client: usize, sql: &str) -> String {
        let session = self.session(client);
        self.send(session, &[statement(sql), sync()].concat());
        self.take(session)
    }

    /// The same of a statement that succeeds: its rows and its tag.
    #[track_caller]
    pub(super) fn run(&mut self, client: usize, sql: &str) -> String {
        let told = self.ask(client, sql);
        let rest = told.strip_prefix("1 2 ").unwrap_or_else(|| panic!("{sql}: {told}"));
        rest.rsplit_once(" Z ").expect("it is answered").0.to_owned()
    }

    /// The same of a statement that fails: the code.
    #[track_caller]
    pub(super) fn fails(&mut self, client: usize, sql: &str) -> String {
        let told = self.ask(client, sql);
        let (_, error) = told.split_once("E ").unwrap_or_else(|| panic!("{sql}: {told}"));
        error[..5].to_owned()
    }

    /// A statement that has to wait.
    #[track_caller]
    pub(super) fn waits(&mut self, client: usize, sql: &str) {
        assert_eq!(self.ask(client, sql), "", "{sql}");
        assert!(self.is_waiting(client));
    }

    pub(super) fn is_waiting(&mut self, client: usize) -> bool {
        let session = self.session(client);
        self.engine.waits_for(session).is_some()
    }

    /// What a client was told since it was last asked.
    pub(super) fn told(&mut self, client: usize) -> String {
        let session = self.session(client);
        self.take(session)
    }

    pub(super) fn take(&mut self, session: Session) -> String {
        words(&self.take_bytes(session)).join(" ")
    }

    pub(super) fn take_bytes(&mut self, session: Session) -> Vec<u8> {
        self.received.remove(&session).unwrap_or_default()
    }
}

/// Who we are.
pub(super) fn start() -> Vec<u8> {
    let body = [&(3u32 << 16).to_be_bytes()[..], b"user\0market\0database\0shop\0\0"].concat();
    [&u32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], &body].concat()
}

pub(super) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

/// A statement without parameters, whose results are text.
pub(super) fn statement(sql: &str) -> Vec<u8> {
    [parse("", sql), bind(""), execute()].concat()
}

pub(super) fn parse(name: &str, sql: &str) -> Vec<u8> {
    message(b'P', format!("{name}\0{sql}\0\0\0").as_bytes())
}

pub(super) fn bind(name: &str) -> Vec<u8> {
    message(b'B', format!("\0{name}\0\0\0\0\0\0\0").as_bytes())
}

pub(super) fn execute() -> Vec<u8> {
    message(b'E', b"\0\0\0\0\0")
}

pub(super) fn sync() -> Vec<u8> {
    message(b'S', &[])
}

/// What a server says: the kinds of its messages, with what is in rows, tags and errors.
pub(super) fn words(mut bytes: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    while let [tag, rest @ ..] = bytes {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        let body = &rest[4..length];
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        words.push(match tag {
            b'C' => text(&body[..body.len() - 1]),
            b'D' => row(body),
            b'E' => {
                let fields: Vec<String> = body.split(|byte| *byte == 0).map(text).collect();
                let field = |kind: &str| fields.iter().find_map(|field| field.strip_prefix(kind)).unwrap();
                format!("E {} {}", field("C"), field("M"))
            }
            b'R' | b'S' | b'K' => char::from(*tag).to_string(),
            b'Z' => format!("Z {}", char::from(body[0])),
            tag => char::from(*tag).to_string(),
        });
        bytes = &rest[length..];
    }
    words
}

fn row(mut body: &[u8]) -> String {
    let mut columns = Vec::new();
    body = &body[2..];
    while let Some((length, rest)) = body.split_at_checked(4) {
        let length = i32::from_be_bytes(length.try_into().unwrap());
        let Ok(length) = usize::try_from(length) else {
            columns.push("NULL".to_owned());
            body = rest;
            continue;
        };
        columns.push(String::from_utf8_lossy(&rest[..length]).into_owned());
        body = &rest[length..];
    }
    format!("({})", columns.join(","))
}
