//! The lines of a call: a request as JSON, and what a reply says. What an API means is not known here.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{CallError, Data, ServiceError};

/// The request as a line, with its end, behind what is in `lines`.
pub(super) fn write_request(lines: &mut Vec<u8>, request_id: &str, api: &str, data: &Data) {
    let request = Request { r#type: "Request", request_id, api, data };
    serde_json::to_writer(&mut *lines, &request).expect("a request of JSON texts is JSON");
    lines.push(b'\n');
}

/// What the reply to the request with this ID says.
///
/// # Errors
/// It is no reply to that request.
pub(super) fn parse_reply(
    line: &[u8],
    request_id: &str,
) -> Result<Result<Box<RawValue>, ServiceError>, CallError> {
    let malformed = |error: serde_json::Error| CallError::Malformed(format!("malformed reply: {error}"));
    let reply: Reply<'_> = serde_json::from_slice(line).map_err(malformed)?;
    // A request that the service could not read, or a connection that it does not take, is answered without an ID.
    let is_its_own = reply.request_id.as_deref().map_or(!reply.ok, |id| id == request_id);
    if !is_its_own {
        return Err(CallError::Malformed("the reply belongs to another request".to_owned()));
    }
    match (reply.ok, reply.data, reply.error) {
        (true, Some(data), _) => Ok(Ok(data.to_owned())),
        (false, _, Some(json)) => {
            let ReplyError { code, message } = serde_json::from_str(json.get()).map_err(malformed)?;
            Ok(Err(ServiceError { code, message, json: json.to_owned() }))
        }
        _ => Err(CallError::Malformed("the reply has neither data nor an error".to_owned())),
    }
}

#[derive(Serialize)]
struct Request<'a> {
    r#type: &'static str,
    request_id: &'a str,
    api: &'a str,
    data: &'a Data,
}

#[derive(Deserialize)]
struct Reply<'a> {
    request_id: Option<String>,
    ok: bool,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ReplyError {
    code: String,
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_may_lack_the_id_of_the_request() {
        let reply = |id, rest| parse_reply(format!("{{\"request_id\":{id},{rest}}}").as_bytes(), "7");
        let (data, error) = (r#""ok":true,"data":{}"#, r#""ok":false,"error":{"code":"X","message":"x"}"#);
        assert!(reply("\"7\"", data).unwrap().is_ok());
        assert!(reply("null", error).unwrap().is_err());
        for (id, rest) in [("\"8\"", data), ("\"8\"", error), ("null", data)] {
            assert!(matches!(reply(id, rest), Err(CallError::Malformed(_))), "{id} {rest}");
        }
    }
}
