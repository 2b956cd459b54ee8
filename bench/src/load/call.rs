//! A single call of a client: made, made again, answered or lost, and recorded.

use std::time::Duration;

use net::{Backend, Call, Lost, Out, Time};

use super::{Load, Slot, Stage};
use crate::api::Api;
use crate::client::{ReplyError, Use};
use crate::relay;

/// The code of a call that no connection could be made for.
pub(crate) const CANNOT_CONNECT: &str = "CANNOT_CONNECT";
/// The code of a call whose connection has ended, or that took too long.
pub(crate) const CONNECTION_LOST: &str = "CONNECTION_LOST";

/// How long a call may take before it counts as lost.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Calls of a client that may fail one after another before the run is broken off. Where nobody is there, each takes
/// seconds to fail.
pub(super) const CONSECUTIVE_FAILURES_MAX: usize = 3;

/// A call under way.
pub(super) struct InFlight {
    pub(super) api: Api,
    since: Time,
    /// When it was sent first.
    sent_at: Time,
    sent_bytes: usize,
}

impl Load<'_> {
    /// Lets a client make its next call, which counts from `since`.
    pub(super) fn call(&mut self, now: Time, number: usize, since: Time, out: &mut Out<'_>) {
        let Slot { client, in_flight, line, begun, .. } = &mut self.slots[number];
        line.clear();
        let api = match self.stage {
            Stage::Setup => {
                let api = client.setup_api(*begun);
                client.write(api, &mut self.world, line);
                api
            }
            Stage::Teardown => client.tear_down(&mut self.world, line),
            _ => client.next(&mut self.world, line),
        };
        if let Some(reply_bytes) = &self.relay {
            relay::address(line, api.hops(), reply_bytes[api as usize]);
        }
        *begun += 1;
        *in_flight = Some(InFlight { api, since, sent_at: now, sent_bytes: line.len() + 1 });
        out.call(Backend(number), Call(number), line, now + CALL_TIMEOUT);
    }

    /// Makes a call that has lost its connection once more, over the next one. False: it cannot be repeated.
    pub(super) fn repeat(&mut self, now: Time, number: usize, lost: Lost, out: &mut Out<'_>) -> bool {
        let Slot { in_flight, line, failures, .. } = &mut self.slots[number];
        let api = in_flight.as_ref().expect("only what was called is lost").api;
        let harmless = match lost {
            Lost::Unsent | Lost::Returned => true,
            Lost::Unanswered => api.may_be_repeated(),
            Lost::Overloaded => false,
        };
        if !self.workload.retry || !harmless || *failures + 1 >= CONSECUTIVE_FAILURES_MAX {
            return false;
        }
        *failures += 1;
        self.record.repeated += 1;
        out.call(Backend(number), Call(number), line, now + CALL_TIMEOUT);
        true
    }

    /// Takes the reply to a client's call. False: it is not what it must be.
    pub(super) fn take(&mut self, now: Time, number: usize, reply: Result<&[u8], Lost>) -> bool {
        let slot = &mut self.slots[number];
        let InFlight { api, since, sent_at, sent_bytes } =
            slot.in_flight.take().expect("only what was called is answered");
        if self.stage == Stage::Measure {
            self.measured += 1;
            self.record.ended_at = now;
            if let Ok(line) = reply {
                let service_time = self.workload.rate.map(|_| now.since(sent_at));
                self.record.answered(api, now.since(since), service_time, sent_bytes, line.len() + 1);
            }
        }
        let line = match reply {
            Ok(line) => line,
            Err(lost) => {
                self.record.failed(lost_code(lost).to_owned());
                return false;
            }
        };
        let result = match &self.relay {
            None => slot.client.take(api, line, &mut self.world),
            Some(reply_bytes) => {
                slot.client.carried_out(api);
                let right = api.hops().is_empty() || line.len() == reply_bytes[api as usize];
                if right { Ok(Use::Something) } else { Err(ReplyError::Wrong) }
            }
        };
        match result {
            Ok(of_use) => {
                if of_use == Use::InVain && self.stage == Stage::Measure {
                    self.record.in_vain(api);
                }
                return true;
            }
            Err(ReplyError::Failed(code)) => self.record.failed(code),
            Err(ReplyError::Wrong) => self.record.wrong += 1,
        }
        self.record.keep_wrong(api, line);
        false
    }

    /// Whether so many calls of a client have failed that the run is worth nothing.
    pub(super) fn has_failed_too_often(&mut self, number: usize, right: bool) -> bool {
        let failures = &mut self.slots[number].failures;
        *failures = if right { 0 } else { *failures + 1 };
        // Whoever could not be set up would only measure errors.
        *failures >= if self.stage == Stage::Setup { 1 } else { CONSECUTIVE_FAILURES_MAX }
    }
}

/// The code under which a call without a reply is counted.
pub(super) fn lost_code(lost: Lost) -> &'static str {
    match lost {
        Lost::Unsent => CANNOT_CONNECT,
        Lost::Unanswered | Lost::Returned => CONNECTION_LOST,
        Lost::Overloaded => "OVERLOADED",
    }
}
