//! The target [`framing`]: how lines are cut out of what arrives.

use net::{Event, Limits, Out, Reject, Service, Time};

use crate::cuts::pieces;
use crate::peer::Attached;

/// The longest line: short, so that inputs reach it.
pub(crate) const LINE_BYTES_MAX: usize = 40;

/// A service that answers each line with itself, and a rejection with its name.
pub(crate) struct Echo;

impl Service for Echo {
    fn handle(&mut self, _now: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, line) => out.send(conn, &line.escape_ascii().collect::<Vec<u8>>()),
            Event::Reject(conn, Reject::LineTooLong(_)) => out.send(conn, b"too long"),
            Event::Reject(conn, _) => out.send(conn, b"another protocol"),
            _ => {}
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

/// A client sends a stream in pieces, and hears of each line of it, however it was cut: the same as a reading of the whole
/// stream gives, which is written here in the plainest way.
///
/// # Panics
/// It hears something else.
pub fn framing(input: &[u8]) {
    let (stream, pieces) = pieces(input);
    let limits = Limits { line_bytes_max: LINE_BYTES_MAX, lines_per_turn_max: 3, ..Limits::default() };
    let mut echo = Attached::new(Echo, limits);
    let read_to_the_end = pieces.iter().all(|piece| echo.send(piece));
    echo.finish();
    assert!(!echo.is_connected(), "who has ended is let go");
    let heard = echo.take_received();
    let heard: Vec<&[u8]> = heard.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let expected = expected(stream);
    match heard.last() {
        // Of another protocol only the first bytes are looked at.
        Some(&b"another protocol") if heard.len() == 1 => {}
        _ => {
            assert!(heard.iter().eq(expected.iter().map(Vec::as_slice).collect::<Vec<_>>().iter()));
            assert!(read_to_the_end || expected.last().is_some_and(|last| last == b"too long"));
        }
    }
}

/// What the client must hear.
pub(crate) fn expected(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut heard = Vec::new();
    let lines = stream.split(|byte| *byte == b'\n');
    for line in lines {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > LINE_BYTES_MAX {
            heard.push(b"too long".to_vec());
            break;
        }
        if !line.is_empty() {
            heard.push(line.escape_ascii().collect());
        }
    }
    heard
}
