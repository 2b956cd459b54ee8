//! The little of HTTP/1.1 that is needed here: the head of a request, and a response after which the connection ends.
//! It knows no path.

use std::borrow::Cow;

use httparse::{EMPTY_HEADER, Error, Header, Request, Status};

use super::site::{Document, Site};
use crate::limits::Limits;

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) method: &'a str,
    /// Without the query.
    pub(super) path: &'a str,
    /// Whose page asks, if a browser does for a page of somebody else.
    pub(super) origin: Option<&'a str>,
}

/// Reads the head of a request, or says with which response it is refused. `None`: there must be more of it.
pub(super) fn parse(bytes: &[u8]) -> Option<Result<Head<'_>, Response<'static>>> {
    let mut headers = [EMPTY_HEADER; Limits::ADMIN_HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(Status::Partial) => None,
        Ok(Status::Complete(_)) => {
            let (method, target) = (request.method.expect("parsed"), request.path.expect("parsed"));
            let path = target.split_once('?').map_or(target, |(path, _)| path);
            Some(Ok(Head { method, path, origin: origin(request.headers) }))
        }
        Err(Error::TooManyHeaders) => Some(Err(Response::TOO_LONG)),
        Err(_) => Some(Err(Response::new("400 Bad Request", "this is no HTTP request\n"))),
    }
}

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response<'a> {
    status: &'static str,
    /// Of the response's body.
    content_type: &'static str,
    /// What a browser may do with it.
    policy: &'a str,
    /// The origin of somebody else whose pages may read it.
    reader: Option<&'a str>,
    body: Cow<'a, str>,
}

impl<'a> Response<'a> {
    pub(super) const TOO_LONG: Response<'static> = Response::new("431 Request Header Fields Too Large", "");

    /// A response of plain text.
    pub(super) const fn new(status: &'static str, body: &'a str) -> Self {
        Self { status, content_type: TEXT, policy: NOTHING, reader: None, body: Cow::Borrowed(body) }
    }

    /// That there is nothing at a path, and what there is.
    pub(super) fn not_found(site: &Site) -> Self {
        let documents: String =
            site.documents.iter().map(|document| format!("{}, ", document.path)).collect();
        let body = format!("there are {documents}/livez, /readyz and /metrics\n").into();
        Self { body, ..Self::new("404 Not Found", "") }
    }

    /// A response that holds metrics, which pages of this origin may read, too.
    pub(super) fn metrics(body: String, reader: Option<&'a str>) -> Self {
        Self { content_type: METRICS, reader, body: body.into(), ..Self::new("200 OK", "") }
    }

    /// A document, with which a browser may do what `policy` says.
    pub(super) fn document(document: &'a Document, policy: &'a str) -> Self {
        let Document { content_type, ref body, .. } = *document;
        Self { content_type, policy, ..Self::new("200 OK", body) }
    }

    /// The response as it is sent, as the answer to `HEAD` without its body. Whatever it is, no page of anybody else's may
    /// show it, run it or read it, but for a reader's.
    pub(super) fn encode(&self, with_body: bool) -> String {
        let Self { status, content_type, policy, reader, body } = self;
        let length = body.len();
        let allow = if status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
        let reader = reader.map(|origin| format!("Access-Control-Allow-Origin: {origin}\r\n"));
        let reader = reader.unwrap_or_default();
        let body = if with_body { body } else { "" };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             Cache-Control: no-store\r\nContent-Security-Policy: {policy}\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\nReferrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\n{reader}{allow}Connection: close\r\n\r\n{body}"
        )
    }
}

fn origin<'a>(headers: &[Header<'a>]) -> Option<&'a str> {
    let origin = headers.iter().find(|header| header.name.eq_ignore_ascii_case("Origin"))?;
    std::str::from_utf8(origin.value).ok()
}

const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// What a browser may do with what is no document.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";
