//! [`Record`]: what one run measured, call by call. It knows nothing of how it is shown or kept.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use net::Time;

use crate::api::Api;

/// The longest time that is told apart, in nanoseconds; a longer one counts as this.
const TIME_NANOS_MAX: u64 = 600_000_000_000;
/// Decimal digits to which times are kept.
const DIGITS: u8 = 3;
/// Wrong replies that are kept as they came.
const WRONG_KEPT_MAX: usize = 5;
/// Bytes of each that are kept.
const WRONG_BYTES_MAX: usize = 200;

/// Response times in nanoseconds.
pub(crate) type Times = Histogram<u64>;

pub(crate) fn new_times() -> Times {
    Histogram::new_with_bounds(1, TIME_NANOS_MAX, DIGITS).expect("the bounds are valid")
}

/// The measured calls of one run.
pub(crate) struct Record {
    pub(crate) started_at: Time,
    pub(crate) ended_at: Time,
    /// Response times by API. What was not called has none.
    pub(crate) apis: [Option<Box<Calls>>; Api::COUNT],
    /// Failed calls by the code of their error, or by why there was no reply.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Replies that did not say what they must say.
    pub(crate) wrong: u64,
    /// Scheduled calls that were not made, because their client was busy until the time was up.
    pub(crate) unmade: u64,
    /// Whether every call was made that was to be measured.
    pub(crate) is_complete: bool,
    /// Items that the run has put up for sale and could not take off the market.
    pub(crate) left_for_sale: usize,
    /// Calls that were made again because their connection was cut.
    pub(crate) repeated: u64,
    /// The first wrong replies.
    pub(crate) wrong_lines: Vec<String>,
    /// How long after its moment a scheduled call left although its client was free.
    pub(crate) lateness: Times,
}

/// The calls of one API.
pub(crate) struct Calls {
    pub(crate) times: Times,
    /// From when they were sent, rather than due. Only what was sent on schedule has them.
    pub(crate) service_times: Option<Times>,
    /// Bytes of requests and replies, with the ends of their lines.
    pub(crate) sent_bytes: u64,
    pub(crate) received_bytes: u64,
    /// Calls that had nothing to find and nothing to change.
    pub(crate) in_vain: u64,
}

impl Default for Calls {
    fn default() -> Self {
        Self { times: new_times(), service_times: None, sent_bytes: 0, received_bytes: 0, in_vain: 0 }
    }
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            started_at: Time::default(),
            ended_at: Time::default(),
            apis: Default::default(),
            errors: BTreeMap::new(),
            wrong: 0,
            unmade: 0,
            is_complete: false,
            left_for_sale: 0,
            repeated: 0,
            wrong_lines: Vec::new(),
            lateness: new_times(),
        }
    }

    /// Takes a call that was answered.
    /// Of one that was sent on schedule the service time is told too.
    pub(crate) fn answered(
        &mut self,
        api: Api,
        time: Duration,
        service_time: Option<Duration>,
        sent_bytes: usize,
        received_bytes: usize,
    ) {
        let calls = self.apis[api as usize].get_or_insert_with(Box::default);
        calls.times.saturating_record(nanos(time));
        if let Some(time) = service_time {
            calls.service_times.get_or_insert_with(new_times).saturating_record(nanos(time));
        }
        calls.sent_bytes += sent_bytes as u64;
        calls.received_bytes += received_bytes as u64;
    }

    /// Takes an answered call that had nothing to find and nothing to change.
    pub(crate) fn in_vain(&mut self, api: Api) {
        self.apis[api as usize].get_or_insert_with(Box::default).in_vain += 1;
    }

    /// Whether every reply so far was what it must be.
    pub(crate) fn is_right(&self) -> bool {
        self.wrong == 0 && self.errors.is_empty()
    }

    pub(crate) fn failed(&mut self, why: String) {
        *self.errors.entry(why).or_default() += 1;
    }

    /// Measured calls that were answered.
    pub(crate) fn calls(&self) -> u64 {
        self.apis.iter().flatten().map(|calls| calls.times.len()).sum()
    }

    /// Keeps a reply that is not what it must be, to be shown.
    pub(crate) fn keep_wrong(&mut self, api: Api, line: &[u8]) {
        if self.wrong_lines.len() < WRONG_KEPT_MAX {
            let shown = &line[..line.len().min(WRONG_BYTES_MAX)];
            self.wrong_lines.push(format!("{}: {}", api.name(), shown.escape_ascii()));
        }
    }

    pub(crate) fn late(&mut self, by: Duration) {
        self.lateness.saturating_record(nanos(by));
    }

    /// The mean length of the replies of an API, with the end of the line.
    pub(crate) fn reply_bytes(&self, api: Api) -> Option<usize> {
        let calls = self.apis[api as usize].as_ref()?;
        usize::try_from(calls.received_bytes / calls.times.len()).ok()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1)
}
