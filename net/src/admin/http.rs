//! The little of HTTP/1.1 that is needed here: the head of a request, and a response after which the connection ends.
//! It knows no path.

use httparse::{EMPTY_HEADER, Error, Request, Status};

use crate::limits::Limits;

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) method: &'a str,
    /// Without the query.
    pub(super) path: &'a str,
}

/// Reads the head of a request, or says with which response it is refused. `None`: there must be more of it.
pub(super) fn parse(bytes: &[u8]) -> Option<Result<Head<'_>, Response>> {
    let mut headers = [EMPTY_HEADER; Limits::ADMIN_HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(Status::Partial) => None,
        Ok(Status::Complete(_)) => {
            let (method, target) = (request.method.expect("parsed"), request.path.expect("parsed"));
            let path = target.split_once('?').map_or(target, |(path, _)| path);
            Some(Ok(Head { method, path }))
        }
        Err(Error::TooManyHeaders) => Some(Err(Response::TOO_LONG)),
        Err(_) => Some(Err(Response::new("400 Bad Request", "this is no HTTP request\n"))),
    }
}

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    status: &'static str,
    /// Of the response's body.
    content_type: &'static str,
    body: String,
}

impl Response {
    pub(super) const TOO_LONG: Self =
        Self { status: "431 Request Header Fields Too Large", content_type: TEXT, body: String::new() };

    /// A response of plain text.
    pub(super) fn new(status: &'static str, body: &str) -> Self {
        Self { status, content_type: TEXT, body: body.to_owned() }
    }

    /// A response that holds metrics.
    pub(super) fn metrics(body: String) -> Self {
        Self { status: "200 OK", content_type: METRICS, body }
    }

    /// The response as it is sent, as the answer to `HEAD` without its body.
    pub(super) fn encode(&self, with_body: bool) -> String {
        let Self { status, content_type, body } = self;
        let length = body.len();
        let allow = if status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
        let body = if with_body { body } else { "" };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             Cache-Control: no-store\r\n{allow}Connection: close\r\n\r\n{body}"
        )
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
