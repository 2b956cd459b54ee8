//! [`Greeting`]: how each connection of a frontend to a database begins: with the secret, if there is one, with a `Ping`
//! that tells which database it is, and where there is another connection, with the wish to be told when this one ends.

use std::borrow::Cow;

use serde::Deserialize;

use super::lane::Lane;
use super::secrets::Secrets;
use crate::api::Api;
use crate::api::envelope::{Reply, Request};
use crate::api::error::{Error, excerpt};
use crate::api::service::{AnnounceEnd, Authenticate, Authenticated, Ping, Pong};

/// The number of each line of a greeting. It is below the numbers of all calls.
const NUMBER: u64 = 0;
/// The most characters of something unexpected that a log line repeats.
const SAID_CHARS_MAX: usize = 80;

/// The lines before the first call.
pub(super) struct Greeting {
    secrets: Option<Secrets>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Authenticate,
    Ping,
    AnnounceEnd,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: Option<T>,
    error: Option<Error>,
}

impl Greeting {
    pub(super) fn new(secrets: Option<Secrets>) -> Self {
        Self { secrets }
    }

    /// The line that has this number, from 0. `is_last_wanted`: the database is asked for a last line.
    pub(super) fn line(&self, number: usize, is_last_wanted: bool) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        match (self.step(number).filter(|step| *step != Step::AnnounceEnd || is_last_wanted)?, &self.secrets)
        {
            (Step::Authenticate, Some(secrets)) => {
                let secret = Authenticate { secret: secrets.first() };
                let data = serde_json::to_vec(&secret).expect("text can be written as JSON");
                Request::encode(&mut line, NUMBER, Authenticate::NAME, None, &data);
            }
            (Step::Ping | Step::Authenticate, _) => {
                Request::encode(&mut line, NUMBER, Ping::NAME, None, b"{}")
            }
            (Step::AnnounceEnd, _) => Request::encode(&mut line, NUMBER, AnnounceEnd::NAME, None, b"{}"),
        }
        Some(line)
    }

    /// Whether a line is the answer of the lane's database to the line that has this number.
    ///
    /// # Errors
    /// Who or what answers instead.
    pub(super) fn check(&self, lane: Lane, number: usize, line: &[u8]) -> Result<(), Cow<'static, str>> {
        match self.step(number) {
            Some(Step::Authenticate) => {
                let authenticated = answer::<Authenticated>(lane, line)?;
                if authenticated.authenticated { Ok(()) } else { Err(unlike(lane, line)) }
            }
            Some(Step::Ping) | None => {
                let name = lane.database().name();
                let Pong { service, .. } = answer::<Pong<String>>(lane, line)?;
                let another = || format!("it is {}, not {name}", excerpt(&service, SAID_CHARS_MAX));
                if service == name { Ok(()) } else { Err(another().into()) }
            }
            // One of an earlier version knows no last line, says so, and is as good.
            Some(Step::AnnounceEnd) if Reply::to_call(line, NUMBER).is_some() => Ok(()),
            Some(Step::AnnounceEnd) => Err(unlike(lane, line)),
        }
    }

    fn step(&self, number: usize) -> Option<Step> {
        let steps: &[Step] = match self.secrets {
            Some(_) => &[Step::Authenticate, Step::Ping, Step::AnnounceEnd],
            None => &[Step::Ping, Step::AnnounceEnd],
        };
        steps.get(number).copied()
    }
}

/// What a database has answered.
///
/// # Errors
/// It says why not, or this is no answer of such a kind.
fn answer<T: for<'de> Deserialize<'de>>(lane: Lane, line: &[u8]) -> Result<T, Cow<'static, str>> {
    match serde_json::from_slice(line) {
        Ok(Answer { data: Some(data), .. }) if Reply::to_call(line, NUMBER).is_some() => Ok(data),
        Ok(Answer { error: Some(error), .. }) => {
            Err(format!("it says: {}", excerpt(&error.message, SAID_CHARS_MAX)).into())
        }
        _ => Err(unlike(lane, line)),
    }
}

fn unlike(lane: Lane, line: &[u8]) -> Cow<'static, str> {
    let line = String::from_utf8_lossy(line);
    let name = lane.database().name();
    format!("it does not answer like {name}: {}", excerpt(&line, SAID_CHARS_MAX)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(greeting: &Greeting, number: usize) -> Option<String> {
        greeting.line(number, false).map(|line| String::from_utf8(line).expect("text"))
    }

    fn ok(id: &str, data: &str) -> String {
        format!(r#"{{"type":"Response","request_id":{id},"ok":true,"error":null,"data":{data}}}"#)
    }

    #[test]
    fn it_begins_with_the_secret_if_there_is_one() {
        let ping = r#"{"type":"Request","request_id":0,"api":"Ping","data":{}}"#;
        let open = Greeting::new(None);
        assert_eq!([text(&open, 0).as_deref(), text(&open, 1).as_deref()], [Some(ping), None]);

        let secret = Greeting::new(Some(Secrets::parse("a \"quoted\" one\nthe old one").expect("valid")));
        let authenticate =
            r#"{"type":"Request","request_id":0,"api":"Authenticate","data":{"secret":"a \"quoted\" one"}}"#;
        let lines = [0, 1, 2].map(|number| text(&secret, number));
        assert_eq!(lines.each_ref().map(Option::as_deref), [Some(authenticate), Some(ping), None]);
        let check = |line: &str| secret.check(Lane::Product, 0, line.as_bytes());
        assert_eq!(check(&ok("0", r#"{"authenticated":true}"#)), Ok(()));
        for wrong in
            [ok("0", r#"{"authenticated":false}"#), ok("0", "{}"), ok("0", r#"{"service":"db_product"}"#)]
        {
            assert!(check(&wrong).is_err(), "{wrong}");
        }
        let denied = r#"{"type":"Response","request_id":0,"ok":false,"error":{"code":"PERMISSION_DENIED","message":"the secret is wrong"},"data":null}"#;
        assert_eq!(check(denied), Err("it says: the secret is wrong".into()));
    }

    #[test]
    fn where_a_last_line_is_wanted_a_database_is_asked_for_it_and_need_not_know_it() {
        let greeting = Greeting::new(None);
        let line = greeting.line(1, true).expect("there is one");
        assert_eq!(line, br#"{"type":"Request","request_id":0,"api":"AnnounceEnd","data":{}}"#);
        assert_eq!(greeting.line(2, true), None);
        let check = |line: &str| greeting.check(Lane::Product, 1, line.as_bytes());
        assert_eq!(check(&ok("0", r#"{"announced":true}"#)), Ok(()));
        let unknown = r#"{"type":"Response","request_id":0,"ok":false,"error":{"code":"UNIMPLEMENTED","message":"x"},"data":null}"#;
        assert_eq!(check(unknown), Ok(()));
        assert!(check("nonsense").is_err() && check(&ok("1", "{}")).is_err());
    }

    #[test]
    fn only_the_right_database_is_let_through() {
        let greeting = Greeting::new(None);
        let check = |line: &str| greeting.check(Lane::Product, 0, line.as_bytes());
        let answer = |id: &str, service: &str| {
            ok(id, &format!(r#"{{"service":"{service}","version":"1","commits":0}}"#))
        };
        assert_eq!(check(&answer("0", "db_product")), Ok(()));
        let full = r#"{"type":"Response","request_id":null,"ok":false,"error":{"code":"RESOURCE_EXHAUSTED","message":"there are 2 connections, and there may be no more"},"data":null}"#;
        for (line, reason) in [
            (&*answer("0", "db_customer"), "it is db_customer, not db_product"),
            (full, "it says: there are 2 connections, and there may be no more"),
            ("SSH-2.0-OpenSSH_9.2p1", "it does not answer like db_product: SSH-2.0-OpenSSH_9.2p1"),
            ("220 mail \"x\" ESMTP", "it does not answer like db_product: 220 mail \\\"x\\\" ESMTP"),
        ] {
            assert_eq!(check(line), Err(reason.into()));
        }
        assert!(check(&answer("1", "db_product")).is_err(), "it answers another line");
    }
}
