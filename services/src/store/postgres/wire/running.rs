//! [`Running`]: one flight on its way, from its first statement to its outcome.
//!
//! A transaction goes out as `BEGIN, its statements, Sync, COMMIT, Sync`. After an error the server skips all up to the
//! next Sync, so none of its statements is carried out without the others; the COMMIT then finds a transaction that has
//! failed, and is answered with `ROLLBACK`. Lookups go out with one Sync behind them all. Where nothing is to be pipelined, each statement has a Sync of its own and
//! waits for the answer to the one before.

use std::collections::VecDeque;

use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::error::{Class, Failure, ServerError};
use super::flight::{Call, Flight, Outcome, Reply, Statement, Ticket};
use super::messages;
use super::prepared::Prepared;
use super::row::{Row, Rows};

const BEGIN: Statement = Statement::once("BEGIN");
const COMMIT: Statement = Statement::once("COMMIT");

/// A flight on its way.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) ticket: Ticket,
    calls: Vec<Call>,
    is_transaction: bool,
    /// The segments that are not written: each ends before the call of this number, with a Sync.
    unwritten: VecDeque<usize>,
    /// Those that are written and not answered.
    unanswered: VecDeque<usize>,
    /// Calls that are written, or skipped.
    written: usize,
    /// Calls that are answered, or skipped.
    answered: usize,
    replies: Vec<Reply>,
    /// What the call under way has returned so far.
    rows: Rows,
    /// The first error, and the call that it is about.
    error: Option<(usize, ServerError)>,
    /// Whether the server skips what comes up to the next Sync.
    is_skipping: bool,
    is_doubtful: bool,
}

impl Running {
    /// A flight of which nothing is written.
    pub(super) fn new(ticket: Ticket, flight: Flight, is_pipelined: bool) -> Self {
        let Flight { mut calls, is_transaction } = flight;
        if is_transaction {
            calls.insert(0, BEGIN.with([]));
            calls.push(COMMIT.with([]));
        }
        let count = calls.len();
        let segments = match (is_pipelined, is_transaction) {
            (true, true) => [count - 1, count].into(),
            (true, false) => [count].into(),
            (false, _) => (1..=count).collect(),
        };
        Self {
            ticket,
            calls,
            is_transaction,
            unwritten: segments,
            unanswered: VecDeque::new(),
            written: 0,
            answered: 0,
            replies: Vec::new(),
            rows: Rows::default(),
            error: None,
            is_skipping: false,
            is_doubtful: false,
        }
    }

    /// Writes the next segment. False if there is none.
    pub(super) fn write_segment(&mut self, prepared: &mut Prepared, out: &mut BytesMut) -> bool {
        let Some(end) = self.unwritten.pop_front() else { return false };
        for Call { statement, values } in &self.calls[self.written..end] {
            let reference = prepared.refer(self.ticket, *statement);
            if reference.is_new {
                messages::parse(reference.name, statement.sql, values, out);
            }
            messages::execute(reference.name, values, out);
        }
        frontend::sync(out);
        self.written = end;
        self.unanswered.push_back(end);
        self.invariants();
        true
    }

    /// Takes the next message of the server.
    ///
    /// # Errors
    /// It is none that can come here.
    pub(super) fn receive(&mut self, message: Message, prepared: &mut Prepared) -> Result<(), Failure> {
        let end = *self.unanswered.front().ok_or(Failure::Malformed("there is an answer to nothing"))?;
        let is_call_due = self.answered < end && !self.is_skipping;
        match message {
            Message::ParseComplete if is_call_due => {
                prepared.parsed(self.ticket, self.calls[self.answered].statement);
            }
            Message::BindComplete if is_call_due => {}
            Message::DataRow(body) if is_call_due => self.rows.keep(Row::read(&body)?)?,
            Message::CommandComplete(body) if is_call_due => {
                let tag = body.tag().map_err(|_| Failure::Malformed("a tag is no text"))?;
                self.completed(tag);
            }
            Message::ErrorResponse(body) if !self.is_skipping => {
                let error = ServerError::read(body.fields())?;
                self.error.get_or_insert((self.answered, error));
                self.is_skipping = true;
            }
            Message::ReadyForQuery(body) if self.is_skipping || self.answered == end => {
                self.synchronised(end, body.status())?;
            }
            _ => return Err(Failure::Malformed("an answer is not to what was asked")),
        }
        self.invariants();
        Ok(())
    }

    /// The server doubts that what it reports as committed outlasts it.
    pub(super) fn doubt(&mut self) {
        self.is_doubtful = true;
    }

    /// Whether all is answered.
    pub(super) fn has_ended(&self) -> bool {
        self.unwritten.is_empty() && self.unanswered.is_empty()
    }

    /// The first error.
    pub(super) fn error(&self) -> Option<&ServerError> {
        self.error.as_ref().map(|(_, error)| error)
    }

    /// What has become of it. If not all is answered, the connection is lost.
    pub(super) fn outcome(mut self) -> Outcome {
        let has_ended = self.has_ended();
        let is_commit_sent = self.written == self.calls.len();
        match self.error.take() {
            Some((call, error)) if self.leaves_open(call, &error) => Outcome::Unknown,
            Some((call, error)) => {
                let begin = usize::from(self.is_transaction);
                Outcome::Failed { call: call.saturating_sub(begin), error }
            }
            None if has_ended && !self.is_doubtful => Outcome::Done(self.into_replies()),
            None if has_ended || is_commit_sent => Outcome::Unknown,
            None => Outcome::Lost,
        }
    }

    /// Whether an error does not tell if the commit took place. One of a statement before it does, because a transaction
    /// with an error in it is none; one of the commit itself does if that is what it means. A single statement is its own
    /// commit. What comes behind the answer to a commit, as from a server that is told to end, does not tell. That a
    /// connection is lost may be what a pooler says of its own one, and then the server may have done all that was sent.
    fn leaves_open(&self, call: usize, error: &ServerError) -> bool {
        let last = self.calls.len() - 1;
        let is_of_commit = if self.is_transaction { call == last } else { call > last };
        match error.class() {
            _ if self.is_transaction && call > last => true,
            Class::Unknown => true,
            Class::Replay | Class::Refusal => false,
            Class::Leave if error.code.starts_with("08") => self.written == self.calls.len(),
            Class::Leave | Class::Strained | Class::Defect => {
                is_of_commit || (error.is_fatal && call == last)
            }
        }
    }

    fn completed(&mut self, tag: &str) {
        let is_commit = self.is_transaction && self.answered + 1 == self.calls.len();
        if is_commit && tag != COMMIT.sql {
            self.error.get_or_insert((self.answered, ServerError::undone()));
        }
        self.replies.push(Reply { rows: self.rows.take(), is_change: tells_of_change(tag) });
        self.answered += 1;
    }

    /// The server has answered a segment, and says whether a transaction is open.
    fn synchronised(&mut self, end: usize, status: u8) -> Result<(), Failure> {
        self.unanswered.pop_front();
        self.answered = end;
        self.is_skipping = false;
        if self.error.is_some() && self.is_transaction && self.unwritten.len() > 1 {
            // Nothing more is of use but the end of the transaction.
            let commit = self.calls.len() - 1;
            self.unwritten.drain(..self.unwritten.len() - 1);
            (self.written, self.answered) = (commit, commit);
        }
        if self.has_ended() && status != NO_TRANSACTION {
            return Err(Failure::Malformed("a transaction is left open"));
        }
        Ok(())
    }

    fn into_replies(self) -> Vec<Reply> {
        let mut replies = self.replies;
        if self.is_transaction {
            replies.remove(0);
            replies.pop();
        }
        replies
    }

    fn invariants(&self) {
        debug_assert!(self.answered <= self.written && self.written <= self.calls.len());
        debug_assert!(self.error.is_some() || self.replies.len() == self.answered);
        debug_assert!(!self.is_skipping || self.error.is_some());
    }
}

/// Whether the tag of a statement tells of rows that it has changed: it ends with how many.
fn tells_of_change(tag: &str) -> bool {
    let (kind, count) = (tag.split(' ').next(), tag.rsplit(' ').next());
    matches!(kind, Some("INSERT" | "UPDATE" | "DELETE")) && count != Some("0")
}

/// What the server says where no transaction is open.
const NO_TRANSACTION: u8 = b'I';
