//! [`metrics`]: asks a service for its metrics over HTTP, within a second and up to a maximum.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::lookup::Lookup;

/// How long it may take from the connection to the end of the answer. What answers is close, and answers at once.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// The longest answer that is read. A service's metrics are some 40 KiB.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why there are no metrics.
#[derive(Debug)]
pub(super) enum Missing {
    /// Nothing answers there.
    NoAnswer(String),
    /// Something answers, but not with a service's metrics.
    NoMetrics(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NoAnswer(why) | Self::NoMetrics(why)) = self;
        out.write_str(why)
    }
}

/// What the service at `address`, its `--admin`, has counted.
pub(super) fn metrics(lookup: &mut Lookup) -> Result<String, Missing> {
    let deadline = Instant::now() + ANSWER_MAX;
    let answer = exchange(lookup, deadline).map_err(|error| Missing::NoAnswer(error.to_string()))?;
    let answer = answer
        .ok_or_else(|| Missing::NoMetrics(format!("its answer has more than {ANSWER_BYTES_MAX} bytes")))?;
    body(answer).map_err(Missing::NoMetrics)
}

/// All that is answered. `None`: it is too much.
fn exchange(lookup: &mut Lookup, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within a second"))
        } else {
            Ok(left)
        }
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let mut connection = None;
    for each in lookup.addresses(ANSWER_MAX)? {
        match TcpStream::connect_timeout(&each, left()?) {
            Ok(stream) => {
                connection = Some(stream);
                break;
            }
            Err(error) => last = error,
        }
    }
    let mut connection = connection.ok_or(last)?;
    connection.set_write_timeout(Some(left()?))?;
    // In one write, so that nobody answers a part of it.
    let host = lookup.address();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes())?;
    let (mut answer, mut chunk) = (Vec::new(), [0; 16 << 10]);
    loop {
        connection.set_read_timeout(Some(left()?))?;
        match connection.read(&mut chunk) {
            Ok(0) => return Ok(Some(answer)),
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => _ = left()?,
            Err(error) => return Err(error),
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Ok(None);
        }
    }
}

/// The body of an HTTP response that is all right and whole.
fn body(answer: Vec<u8>) -> Result<String, String> {
    let answer = String::from_utf8(answer).map_err(|_| "its answer is no text".to_owned())?;
    if !answer.starts_with("HTTP/1.") {
        return Err("it does not answer over HTTP: this takes the address of --admin".to_owned());
    }
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("its answer is not whole")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        return Err(format!("it answers with the HTTP status {status:?}"));
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    match length.map(str::parse) {
        Some(length) if length != Ok(body.len()) => Err("its answer is not whole".to_owned()),
        _ => Ok(body.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What comes of an answer.
    fn answered(answer: &str) -> Result<String, Missing> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::scope(|scope| {
            scope.spawn(|| {
                let (mut connection, _) = listener.accept().unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    connection.read_exact(&mut byte).unwrap();
                    head.extend(byte);
                }
                assert!(head.starts_with(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:"));
                // Whoever has read enough hangs up.
                let _ = connection.write_all(answer.as_bytes());
            });
            metrics(&mut Lookup::new(&address))
        })
    }

    #[test]
    fn the_body_of_an_answer_is_found() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nup 1\n";
        assert_eq!(answered(answer).unwrap(), "up 1\n");
    }

    #[test]
    fn other_answers_are_told_apart() {
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "a".repeat(ANSWER_BYTES_MAX));
        for (answer, why) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nup 1\n", "its answer is not whole"),
            ("HTTP/1.1 200 OK\r\n", "its answer is not whole"),
            ("HTTP/1.1 404 Not Found\r\n\r\n", "it answers with the HTTP status \"404\""),
            ("{\"ok\":false}\n", "it does not answer over HTTP: this takes the address of --admin"),
            ("", "it does not answer over HTTP: this takes the address of --admin"),
            (&long, "its answer has more than 1048576 bytes"),
        ] {
            let missing = answered(answer).unwrap_err();
            assert!(matches!(missing, Missing::NoMetrics(_)), "{missing:?}");
            assert_eq!(missing.to_string(), why);
        }
    }

    #[test]
    fn nobody_is_no_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        // Who is not accepted is connected and hears nothing.
        let mut lookup = Lookup::new(&address);
        let silent = metrics(&mut lookup).unwrap_err();
        assert_eq!(silent.to_string(), "no answer within a second");
        drop(listener);
        assert!(matches!(metrics(&mut lookup).unwrap_err(), Missing::NoAnswer(_)));
    }
}
