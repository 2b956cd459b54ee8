//! [`Sessions`]: which sessions may be accepted when, by the clock of `db_customer`, which others set forwards.

use std::collections::BTreeMap;
use std::time::Duration;

use net::Time;

use crate::history::AFTERLIFE;
use crate::request::{Outcome, Span};

/// How long a session may be idle.
const TIMEOUT: Duration = Duration::from_secs(300);
/// What a crash may add to that, also for a session that was refused, if that it is over was not on disk.
const DOUBT: Duration = Duration::from_secs(60);
/// On an engine, what is used within a second is written with the same time.
const DOUBT_ON_ENGINE: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// How far the clock is ahead from when on, in order.
    clock: Vec<(Time, Duration)>,
    /// When the database was started again, in order.
    restarts: Vec<Time>,
    sessions: BTreeMap<String, Session>,
    /// What was not stored may be known to one of several databases alone, and then not to that which is asked.
    pub(super) are_shared: bool,
    /// How often a session was refused because it was idle for too long.
    pub(super) timeouts: u64,
}

#[derive(Debug)]
struct Session {
    /// When the last request was made that was accepted.
    accepted_at: Time,
    /// When the last one was made whose reply waited until the activity was on disk. A crash may forget a later one, which
    /// only read something.
    stored_at: Time,
    /// No request can have counted as activity after this.
    active_until: Time,
    /// It was logged out.
    ended_at: Option<Time>,
    /// What the clock showed at the last activity, at most, if it was refused because that is too long ago.
    idle_since: Option<Time>,
    /// Somebody has asked for its end, and may have got it.
    may_be_ended: bool,
}

impl Sessions {
    /// The clock is so far ahead from now on.
    pub(super) fn set_clock_ahead(&mut self, now: Time, ahead: Duration) {
        self.clock.push((now, ahead));
    }

    /// It has crashed, and was started again.
    pub(super) fn restarted(&mut self, now: Time) {
        self.restarts.push(now);
    }

    /// A request was accepted that stores the session.
    pub(super) fn stored(&mut self, id: &str, span: Span) {
        let session = self.of(id);
        session.stored_at = session.stored_at.max(span.start);
    }

    pub(super) fn opened(&mut self, id: &str, span: Span) {
        let session = Session {
            accepted_at: span.start,
            stored_at: span.start,
            active_until: span.end,
            ended_at: None,
            idle_since: None,
            may_be_ended: false,
        };
        let known = self.sessions.insert(id.to_owned(), session);
        assert!(known.is_none(), "session {id} was opened before");
    }

    /// Its user asks for its end.
    pub(super) fn ending(&mut self, id: &str) {
        self.of(id).may_be_ended = true;
    }

    pub(super) fn ended(&mut self, id: &str, at: Time) {
        self.of(id).ended_at.get_or_insert(at);
    }

    /// Several requests are made at once, each of which may be what keeps the session alive for the others.
    pub(super) fn used_twice(&mut self, id: &str, now: Time) {
        let session = self.of(id);
        session.active_until = session.active_until.max(now);
    }

    /// Checks that a request may have come to this; returns whether the session goes on.
    pub(super) fn answered(&mut self, id: &str, span: Span, outcome: &Outcome) -> bool {
        let is_timeout = matches!(outcome, Outcome::Refused(code) if code == "SESSION_TIMEOUT");
        let is_unknown = matches!(outcome, Outcome::Refused(code) if code == "NOT_LOGGED_IN");
        let latest = self.clock_at(span.end, true);
        let earliest = self.clock_at(span.start, false);
        let session = &self.sessions[id];
        let active_until = self.clock_at(session.active_until, true);
        let active_until = session.idle_since.map_or(active_until, |since| since.min(active_until));
        let is_sure =
            !self.are_shared && self.restarts.iter().all(|at| !(session.accepted_at..=span.end).contains(at));
        let known_at = if is_sure { session.accepted_at } else { session.stored_at };
        let known_at = self.clock_at(known_at, false);
        let is_over = session.ended_at.is_some_and(|at| at <= span.start);
        if is_timeout || is_unknown {
            let idle_max = latest.since(known_at);
            assert!(
                session.may_be_ended || idle_max >= TIMEOUT,
                "session {id} is refused at {span:?} after {idle_max:?}: {session:?}"
            );
            self.timeouts += u64::from(is_timeout);
            if is_timeout {
                self.of(id).idle_since.get_or_insert(latest - TIMEOUT);
            }
            return false;
        }
        let is_lost = matches!(outcome, Outcome::NotDone | Outcome::Unknown);
        if !is_lost {
            let idle_min = earliest.since(active_until);
            let doubt = if self.are_shared { DOUBT_ON_ENGINE } else { DOUBT };
            assert!(
                !is_over && idle_min < TIMEOUT + doubt,
                "session {id} is accepted at {span:?} after {idle_min:?}: {session:?}"
            );
        }
        let session = self.of(id);
        if !is_lost {
            session.accepted_at = session.accepted_at.max(span.start);
            session.idle_since = None;
        }
        let afterlife = if is_lost { AFTERLIFE } else { Duration::ZERO };
        session.active_until = session.active_until.max(span.end + afterlife);
        true
    }

    /// What the clock shows, before or after it is set at that very moment.
    fn clock_at(&self, at: Time, is_set: bool) -> Time {
        let set = self.clock.iter().rev().find(|(from, _)| if is_set { *from <= at } else { *from < at });
        at + set.map_or(Duration::ZERO, |(_, ahead)| *ahead)
    }

    fn of(&mut self, id: &str) -> &mut Session {
        self.sessions.get_mut(id).expect("it was opened")
    }
}
