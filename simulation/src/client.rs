//! [`Client`]: a node of the simulated network at which a [`User`] asks services one request after another, or two at a
//! time. It notes each of them, and changes to another service after a failure, if it knows one.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use net::{Backend, Call, Event, Lost, Out, Service, Time};
use serde_json::json;

use crate::journal::Journal;
use crate::request::{Outcome, Request, Span};
use crate::story::Story;

/// How long a client waits for an answer if it has patience: longer than any frontend takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who asks.
pub(crate) trait User {
    /// The next request; none if the user has finished.
    fn next(&mut self, now: Time) -> Option<Request>;

    /// What came of the last request.
    fn answered(&mut self, span: Span, outcome: Outcome);

    /// What is to be asked at the same time as the last request, over another connection.
    fn beside(&mut self) -> Option<Request> {
        None
    }

    /// What came of that. It may come before the other answer, and nothing more is asked before both are there.
    fn answered_beside(&mut self, _: Span, outcome: Outcome) {
        unreachable!("nothing was asked beside: {outcome:?}");
    }

    /// What is to be asked right behind the last request, over the same connection. All that matters is that it is answered
    /// in its turn.
    fn behind(&mut self) -> Vec<Request> {
        Vec::new()
    }

    /// How long the user waits for an answer.
    fn patience(&mut self) -> Duration {
        PATIENCE
    }
}

pub(crate) struct Client<U> {
    user: U,
    who: Who,
    /// How many connections there are, of which the user asks over one.
    lanes: usize,
    lane: usize,
    /// What the services demand to be shown, if they are databases.
    secret: Option<&'static str>,
    /// The requests so far; their IDs.
    count: u64,
    /// The last request, the one beside it, and those behind it, until each is answered.
    asked: Vec<Option<Asked>>,
    done: Rc<Cell<bool>>,
}

/// A client as others see it.
pub(crate) struct Who {
    pub(crate) number: usize,
    pub(crate) name: String,
    pub(crate) journal: Journal,
    pub(crate) story: Story,
}

/// A request without an answer.
struct Asked {
    id: u64,
    at: Time,
    /// Its place in the journal.
    place: usize,
    lane: usize,
}

impl<U: User> Client<U> {
    /// A client with so many connections, and whether it is done.
    pub(crate) fn new(
        user: U,
        who: Who,
        lanes: usize,
        secret: Option<&'static str>,
    ) -> (Self, Rc<Cell<bool>>) {
        let done = Rc::new(Cell::new(false));
        let (lane, asked) = (who.number % lanes, Vec::new());
        let client = Self { user, who, lanes, lane, secret, count: 0, asked, done: Rc::clone(&done) };
        (client, done)
    }

    fn go_on(&mut self, now: Time, out: &mut Out<'_>) {
        let Some(request) = self.user.next(now) else {
            return self.done.set(true);
        };
        self.asked = vec![None, None];
        self.ask(now, 0, self.lane, request, out);
        for request in self.user.behind() {
            self.asked.push(None);
            self.ask(now, self.asked.len() - 1, self.lane, request, out);
        }
        if let Some(request) = self.user.beside() {
            self.ask(now, 1, (self.lane + 1) % self.lanes, request, out);
        }
    }

    fn ask(&mut self, now: Time, slot: usize, lane: usize, request: Request, out: &mut Out<'_>) {
        self.count += 1;
        let (id, Request { api, data }) = (self.count, request);
        let Who { name, journal, story, .. } = &self.who;
        story.tell(now, format_args!("{name} asks over {lane}: {api} #{id} {data}"));
        let request = json!({"type": "Request", "request_id": id, "api": api, "data": data});
        let place = journal.asked(api, data, now);
        self.asked[slot] = Some(Asked { id, at: now, place, lane });
        let deadline = now + self.user.patience();
        out.call(Backend(lane), Call(slot), request.to_string().as_bytes(), deadline);
    }
}

impl<U: User> Service for Client<U> {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        let Event::Reply(Call(slot), result) = event else { return };
        let Asked { id, at, place, lane } = self.asked[slot].take().expect("a reply answers a request");
        let outcome = match result {
            Ok(line) => Outcome::read(line),
            Err(Lost::Unsent | Lost::Returned | Lost::Overloaded) => Outcome::NotDone,
            Err(Lost::Unanswered) => Outcome::Unknown,
        };
        let Who { name, journal, story, .. } = &self.who;
        story.tell(now, format_args!("{name} learns of #{id}: {outcome}"));
        journal.answered(place, now, outcome.clone());
        if lane == self.lane && matches!(outcome, Outcome::NotDone | Outcome::Unknown) {
            self.lane = (self.lane + 1) % self.lanes;
        }
        let span = Span { start: at, end: now };
        match slot {
            0 => self.user.answered(span, outcome),
            1 => self.user.answered_beside(span, outcome),
            _ => {}
        }
        if self.asked.iter().all(Option::is_none) {
            self.go_on(now, out);
        }
    }

    fn end_turn(&mut self, now: Time, out: &mut Out<'_>) {
        if self.count == 0 && !self.done.get() {
            self.go_on(now, out);
        }
    }

    fn greeting(&self, _backend: Backend, number: usize) -> Option<Cow<'static, [u8]>> {
        let secret = self.secret.filter(|_| number == 0)?;
        let request = json!({"api": "Authenticate", "data": {"secret": secret}});
        Some(request.to_string().into_bytes().into())
    }

    fn check_greeting(&self, _: Backend, _: usize, line: &[u8]) -> Result<(), Cow<'static, str>> {
        match Outcome::read(line) {
            Outcome::Done(data) if data == json!({"authenticated": true}) => Ok(()),
            other => Err(format!("{other:?}").into()),
        }
    }

    /// A line without an ID is about the connection, which ends, and answers nothing.
    fn is_reply(&self, Call(slot): Call, line: &[u8]) -> bool {
        let asked = self.asked[slot].as_ref().expect("a reply answers a request");
        Outcome::is_of(line, asked.id)
    }

    fn is_drained(&self) -> bool {
        true
    }
}
