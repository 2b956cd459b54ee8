//! The envelope around every request and reply. It does not know what the APIs are.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::error::{Code, Error, excerpt};
use super::values::string;
use super::{DatabaseApi, Encode};

/// How deep arrays and objects of a request may be nested. No API needs more than 3.
const DEPTH_MAX: usize = 32;
/// The most characters of an error that a log line repeats.
const LOGGED_CHARS_MAX: usize = 200;

/// A request, borrowed from its line.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The JSON of `request_id`, as it was sent; `null` if it was left out.
    pub id: &'a str,
    /// The name of the API.
    pub api: Cow<'a, str>,
    /// The JSON of `data`; `{}` if it was left out.
    pub data: &'a str,
    deadline_ms: Option<&'a RawValue>,
    client_address: Option<&'a RawValue>,
}

/// What a frontend tells a database, beside the request, of the client that waits for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnBehalf {
    /// Where it connects from.
    pub(crate) client_address: IpAddr,
    /// How long it waits from now on.
    pub(crate) deadline_ms: u64,
}

/// A line that is no request.
#[derive(Debug)]
pub(crate) struct Malformed<'a> {
    /// The request's ID, if at least that could be read; else `null`.
    pub id: &'a str,
    /// What is wrong with it.
    pub error: Error,
}

#[derive(Deserialize)]
struct RequestEnvelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    request_id: Option<&'a RawValue>,
    #[serde(borrow)]
    api: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    deadline_ms: Option<&'a RawValue>,
    #[serde(borrow)]
    client_address: Option<&'a RawValue>,
}

impl<'a> Request<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// `INVALID_REQUEST`: the line is not UTF-8, no JSON object, nested too deep, or its envelope is wrong.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, Malformed<'a>> {
        let malformed = |id, message: Cow<'static, str>| Malformed {
            id,
            error: Error::new(Code::InvalidRequest, message),
        };
        let text = std::str::from_utf8(line)
            .map_err(|error| malformed("null", format!("the line is not UTF-8: {error}").into()))?;
        if is_too_deep(text) {
            return Err(malformed(
                "null",
                format!("the line is nested deeper than {DEPTH_MAX} levels").into(),
            ));
        }
        if !text.trim_ascii_start().starts_with('{') {
            return Err(malformed("null", "the line is no JSON object".into()));
        }
        let envelope: RequestEnvelope<'a> = serde_json::from_str(text).map_err(|error| {
            malformed("null", format!("the line is no JSON object of the expected form: {error}").into())
        })?;
        let id = envelope.request_id.map_or("null", RawValue::get);
        if !is_request_id(envelope.request_id) {
            return Err(malformed("null", "`request_id` must be a string or an integer".into()));
        }
        if envelope.kind.is_some_and(|kind| string(kind).as_deref() != Some("Request")) {
            return Err(malformed(id, "`type` must be \"Request\"".into()));
        }
        let Some(api) = envelope.api.and_then(string) else {
            return Err(malformed(id, "`api` must be a string".into()));
        };
        let data = envelope.data.map_or("{}", RawValue::get);
        let RequestEnvelope { deadline_ms, client_address, .. } = envelope;
        Ok(Self { id, api, data, deadline_ms, client_address })
    }

    /// How long whoever sent the request waits for its answer, from the moment the line came, if that is said.
    ///
    /// # Errors
    /// `INVALID_REQUEST`: what is said is no number of milliseconds.
    pub(crate) fn patience(&self) -> Result<Option<Duration>, Error> {
        let decode = |text: &str| text.parse::<u32>().ok().map(|ms| Duration::from_millis(ms.into()));
        optional(self.deadline_ms, "`deadline_ms` must be an integer from 0 to 4294967295", |raw| {
            decode(raw.get())
        })
    }

    /// Where the client is on whose behalf the request is sent, if that is said.
    ///
    /// # Errors
    /// `INVALID_REQUEST`: what is said is no IP address.
    pub(crate) fn client_address(&self) -> Result<Option<IpAddr>, Error> {
        optional(self.client_address, "`client_address` must be an IP address", |raw| {
            string(raw)?.parse().ok()
        })
    }

    /// Appends the line of a request, without its end. `data` is JSON.
    pub(crate) fn encode(line: &mut Vec<u8>, id: u64, api: &str, on_behalf: Option<OnBehalf>, data: &[u8]) {
        line.extend_from_slice(b"{\"type\":\"Request\",\"request_id\":");
        id.encode(line);
        line.extend_from_slice(b",\"api\":\"");
        line.extend_from_slice(api.as_bytes());
        line.push(b'"');
        if let Some(OnBehalf { client_address, deadline_ms }) = on_behalf {
            line.extend_from_slice(b",\"deadline_ms\":");
            deadline_ms.encode(line);
            line.extend_from_slice(b",\"client_address\":");
            client_address.encode(line);
        }
        line.extend_from_slice(b",\"data\":");
        line.extend_from_slice(data);
        line.push(b'}');
    }
}

/// A reply of a database. It is read only as far as it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply<'a> {
    line: &'a [u8],
    /// What follows the number of its call in it.
    rest: &'a [u8],
}

#[derive(Deserialize)]
struct ReplyEnvelope {
    error: Option<Error>,
}

impl<'a> Reply<'a> {
    /// Takes a line that answers the call with this number, and is whole. `None`: it does not.
    pub(crate) fn to_call(line: &'a [u8], number: u64) -> Option<Self> {
        let numbered = line.strip_prefix(REPLY_START)?;
        let digits = numbered.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = numbered.split_at(digits);
        let is_whole = match rest.strip_prefix(OK_MIDDLE) {
            Some(data) => data.ends_with(OK_END),
            None => rest.starts_with(ERROR_MIDDLE) && rest.ends_with(ERROR_END),
        };
        let answers = std::str::from_utf8(digits).ok()?.parse() == Ok(number);
        (answers && is_whole).then_some(Self { line, rest })
    }

    /// The parts of the line that answers the request with this ID alike.
    pub(crate) fn with_id(self, id: &'a str) -> [&'a [u8]; 3] {
        [REPLY_START, id.as_bytes(), self.rest]
    }

    /// The code of the error that the database returned, if it is one.
    pub(crate) fn error_code(self) -> Option<Code> {
        if self.rest.starts_with(OK_MIDDLE) {
            return None;
        }
        self.data::<IgnoredAny>().err().map(|error| error.code)
    }

    /// What the database returned to a call of this API.
    ///
    /// # Errors
    /// Those of [`Reply::data`].
    pub(crate) fn data_of<A: DatabaseApi>(self) -> Result<A::Reply<'a>, Error>
    where
        A::Reply<'a>: Deserialize<'a>,
    {
        self.data()
    }

    /// What the database returned.
    ///
    /// # Errors
    /// The error that the database returned; `INTERNAL` if its data is not what was expected.
    pub(crate) fn data<T: Deserialize<'a>>(self) -> Result<T, Error> {
        if let Some(data) = self.rest.strip_prefix(OK_MIDDLE).and_then(|data| data.strip_suffix(OK_END)) {
            return serde_json::from_slice(data).map_err(|error| unexpected(&error));
        }
        let envelope = serde_json::from_slice(self.line).map_err(|error| unexpected(&error))?;
        match envelope {
            ReplyEnvelope { error: Some(error) } => Err(error),
            ReplyEnvelope { error: None } => Err(unexpected(&"neither data nor an error")),
        }
    }
}

fn unexpected(error: &dyn fmt::Display) -> Error {
    // It may repeat what the database sent.
    log::error!("event=unexpected_reply error=\"{}\"", excerpt(&error.to_string(), LOGGED_CHARS_MAX));
    Error::new(Code::Internal, "a database's reply is not of the expected form")
}

const REPLY_START: &[u8] = b"{\"type\":\"Response\",\"request_id\":";
const OK_MIDDLE: &[u8] = b",\"ok\":true,\"error\":null,\"data\":";
const OK_END: &[u8] = b"}";
const ERROR_MIDDLE: &[u8] = b",\"ok\":false,\"error\":";
const ERROR_END: &[u8] = b",\"data\":null}";

/// Begins the line of a reply that succeeds; the JSON of `data` is to follow, then [`end_ok`].
pub(crate) fn begin_ok(line: &mut Vec<u8>, id: &str) {
    line.extend_from_slice(REPLY_START);
    line.extend_from_slice(id.as_bytes());
    line.extend_from_slice(OK_MIDDLE);
}

/// Ends what [`begin_ok`] has begun.
pub(crate) fn end_ok(line: &mut Vec<u8>) {
    line.extend_from_slice(OK_END);
}

/// The parts of the line of a reply that succeeds with this JSON of `data`, without its end.
pub(crate) fn ok<'a>(id: &'a str, data: &'a [u8]) -> [&'a [u8]; 5] {
    [REPLY_START, id.as_bytes(), OK_MIDDLE, data, OK_END]
}

/// Appends the line of a reply that fails, without its end.
pub(crate) fn encode_error(line: &mut Vec<u8>, id: &str, error: &Error) {
    line.extend_from_slice(REPLY_START);
    line.extend_from_slice(id.as_bytes());
    line.extend_from_slice(ERROR_MIDDLE);
    error.encode(line);
    line.extend_from_slice(ERROR_END);
}

/// A part of the envelope that may be left out, or be `null`, which means the same.
fn optional<T>(
    raw: Option<&RawValue>,
    rule: &'static str,
    decode: impl FnOnce(&RawValue) -> Option<T>,
) -> Result<Option<T>, Error> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(None) };
    decode(raw).map(Some).ok_or_else(|| Error::new(Code::InvalidRequest, rule))
}

fn is_request_id(id: Option<&RawValue>) -> bool {
    let Some(id) = id else { return true };
    let digits = id.get().strip_prefix('-').unwrap_or(id.get());
    string(id).is_some() || digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the brackets of a JSON text are nested too deep. The JSON library skips what nobody reads without
/// a limit of its own.
fn is_too_deep(text: &str) -> bool {
    let opening = |byte: &u8| matches!(byte, b'{' | b'[');
    // Most lines have fewer brackets than there may be levels, and need no closer look.
    if text.bytes().filter(opening).count() <= DEPTH_MAX {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &[u8]) -> (String, Error) {
        let malformed = Request::parse(line).expect_err("the line is malformed");
        (malformed.id.to_owned(), malformed.error)
    }

    #[test]
    fn reads_an_envelope_in_any_order_and_with_parts_left_out() {
        let request = Request::parse(br#" {"data":{"a":1},"api":"Get\u0049tem","request_id":"7","x":[]} "#)
            .expect("valid");
        assert_eq!((request.id, &*request.api, request.data), ("\"7\"", "GetItem", "{\"a\":1}"));
        let request = Request::parse(br#"{"api":"Ping"}"#).expect("valid");
        assert_eq!((request.id, &*request.api, request.data), ("null", "Ping", "{}"));
        for id in ["-5", "123456789012345678901234567890", r#""\u00e9""#, "null"] {
            let line = format!(r#"{{"type":"Request","request_id":{id},"api":"Ping"}}"#);
            assert_eq!(Request::parse(line.as_bytes()).expect("valid").id, id);
        }
    }

    #[test]
    fn refuses_what_is_no_request_and_echoes_the_id_if_it_can() {
        let lines: [&[u8]; 10] = [
            b"hello",
            b"[null,1,\"Ping\",{}]",
            b"\"Ping\"",
            b"{\"api\":\"Ping\"",
            b"{\"api\":NaN}",
            b"{\"api\":\"Ping\",\"api\":\"Ping\"}",
            b"{\"api\":\"Ping\xff\"}",
            b"{\"api\":\"Ping\",\"request_id\":1.5}",
            b"{\"api\":\"Ping\",\"request_id\":[1]}",
            br#"{"api":"Ping","request_id":"\ud800"}"#,
        ];
        for line in lines {
            let (id, error) = error(line);
            assert_eq!((id.as_str(), error.code), ("null", Code::InvalidRequest), "{}", line.escape_ascii());
        }
        for line in [
            r#"{"request_id":7}"#,
            r#"{"request_id":7,"api":5}"#,
            r#"{"request_id":7,"api":"Ping","type":"Response"}"#,
        ] {
            let (id, error) = error(line.as_bytes());
            assert_eq!((id.as_str(), error.code), ("7", Code::InvalidRequest), "{line}");
        }
    }

    #[test]
    fn nesting_has_a_limit_that_strings_do_not_count_towards() {
        let nested = |levels: usize| {
            format!(r#"{{"api":"Ping","data":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels))
        };
        assert!(Request::parse(nested(DEPTH_MAX - 1).as_bytes()).is_ok());
        assert!(error(nested(DEPTH_MAX).as_bytes()).1.message.contains("nested deeper"));
        assert!(error(nested(30_000).as_bytes()).1.message.contains("nested deeper"));
        let text = format!(r#"{{"api":"Ping","data":"\"{}"}}"#, "[".repeat(100));
        assert!(Request::parse(text.as_bytes()).is_ok());
    }

    #[test]
    fn replies_have_their_keys_in_order() {
        let mut line = Vec::new();
        begin_ok(&mut line, "\"7\"");
        line.extend_from_slice(b"{}");
        end_ok(&mut line);
        assert_eq!(line, br#"{"type":"Response","request_id":"7","ok":true,"error":null,"data":{}}"#);

        line.clear();
        encode_error(&mut line, "7", &Error::new(Code::NotFound, "no item 1:42"));
        let expected = br#"{"type":"Response","request_id":7,"ok":false,"error":{"code":"NOT_FOUND","message":"no item 1:42"},"data":null}"#;
        assert_eq!(line, expected);
        let reply = Reply::to_call(&line, 7).expect("it carries the number");
        assert_eq!(reply.data::<()>(), Err(Error::new(Code::NotFound, "no item 1:42")));
    }

    #[test]
    fn a_reply_says_how_it_ended() {
        let mut line = Vec::new();
        begin_ok(&mut line, "7");
        line.extend_from_slice(b"{}}");
        assert_eq!(Reply::to_call(&line, 7).expect("it carries the number").error_code(), None);
        line.clear();
        encode_error(&mut line, "7", &Error::new(Code::NotFound, "no item 1:42"));
        let reply = Reply::to_call(&line, 7).expect("it carries the number");
        assert_eq!(reply.error_code(), Some(Code::NotFound));
    }

    #[test]
    fn only_a_whole_line_with_the_number_of_the_call_is_its_reply() {
        let line = |id: &str, rest: &str| format!(r#"{{"type":"Response","request_id":{id}{rest}"#);
        let good = r#","ok":true,"error":null,"data":{}}"#;
        assert!(Reply::to_call(line("7", good).as_bytes(), 7).is_some());
        for id in ["77", "", "8", "null", "-7", "+7", "\"7\"", "7.0", "18446744073709551623"] {
            assert!(Reply::to_call(line(id, good).as_bytes(), 7).is_none(), "{id}");
        }
        let error = r#","ok":false,"error":{"code":"NOT_FOUND","message":"x"},"data":null}"#;
        for whole in [good, error] {
            for cut in 0..whole.len() {
                let half = line("7", &whole[..cut]);
                let cut_at_end_of_object = half.ends_with("{}");
                assert!(Reply::to_call(half.as_bytes(), 7).is_none() || cut_at_end_of_object, "{half}");
            }
        }
        assert!(Reply::to_call(b"garbage", 7).is_none());
    }
}
