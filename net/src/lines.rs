//! [`LineBuffer`]: framing. It cuts a stream of bytes into frames, which are lines, and does not look into them.

use memchr::memchr;

/// Received bytes that were not delivered yet: whole lines, and at the end perhaps a part of one.
#[derive(Debug, Default)]
pub(crate) struct LineBuffer {
    bytes: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// No line end lies between `start` and here, so that no byte is searched twice.
    scanned: usize,
    /// The most memory that is kept while nothing is buffered.
    retained_bytes_max: usize,
}

/// A line is longer than the limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl LineBuffer {
    pub(crate) fn new(retained_bytes_max: usize) -> Self {
        Self { retained_bytes_max, ..Self::default() }
    }

    /// Appends bytes that arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
        self.invariants();
    }

    /// The next whole line, without its end (`\n` or `\r\n`). Empty lines are skipped. A line, whole or
    /// not, of more than `max` bytes is an error, and stays one.
    pub(crate) fn next(&mut self, max: usize) -> Option<Result<&[u8], TooLong>> {
        loop {
            let Some(length) = memchr(b'\n', &self.bytes[self.scanned..]) else {
                self.scanned = self.bytes.len();
                self.release();
                self.invariants();
                // One byte more than the limit may still turn out to be the `\r` of the line's end.
                let too_long = self.len() > max + 1;
                return too_long.then_some(Err(TooLong));
            };
            let (start, end) = (self.start, self.scanned + length);
            let line_bytes = without_return(&self.bytes[start..end]).len();
            if line_bytes > max {
                return Some(Err(TooLong));
            }
            self.start = end + 1;
            self.scanned = self.start;
            self.invariants();
            if line_bytes > 0 {
                return Some(Ok(&self.bytes[start..start + line_bytes]));
            }
        }
    }

    /// What is buffered, as it arrived.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// What is buffered from the next line on that is not empty, whole or not.
    pub(crate) fn peek(&mut self) -> &[u8] {
        while let [b'\n', ..] | [b'\r', b'\n', ..] = &self.bytes[self.start..] {
            self.start += if self.bytes[self.start] == b'\r' { 2 } else { 1 };
        }
        self.scanned = self.scanned.max(self.start);
        self.invariants();
        &self.bytes[self.start..]
    }

    /// Nothing will be appended any more: what is left is a line, though its end is missing.
    pub(crate) fn finish(&mut self) {
        if !self.is_empty() && !self.bytes.ends_with(b"\n") {
            self.bytes.push(b'\n');
        }
        self.invariants();
    }

    /// The next whole line of what is buffered and, after it, of `arrived`, which is shortened. A line that lies in
    /// `arrived` alone is not copied; a part of one at its end is buffered. For the rest as [`LineBuffer::next`].
    pub(crate) fn next_of<'s, 'a: 's>(
        &'s mut self,
        arrived: &mut &'a [u8],
        max: usize,
    ) -> Option<Result<&'s [u8], TooLong>> {
        if arrived.is_empty() {
            // Appending nothing would move what is buffered to the front once for each line.
            return self.next(max);
        }
        loop {
            while self.is_empty() {
                let Some(end) = memchr(b'\n', arrived) else { break };
                let line = without_return(&arrived[..end]);
                if line.len() > max {
                    return Some(Err(TooLong));
                }
                *arrived = &arrived[end + 1..];
                if !line.is_empty() {
                    return Some(Ok(line));
                }
            }
            // A line that is buffered in part is completed, and no more than that is copied.
            let end = memchr(b'\n', arrived).map_or(arrived.len(), |end| end + 1);
            let (rest_of_line, arrived_after) = arrived.split_at(end);
            self.push(rest_of_line);
            *arrived = arrived_after;
            if self.bytes[self.start..] != *b"\r\n" {
                return self.next(max);
            }
            self.clear();
        }
    }

    /// All that is buffered was delivered, as it arrived.
    pub(crate) fn take_all(&mut self) {
        self.start = self.bytes.len();
        self.scanned = self.start;
        self.release();
        self.invariants();
    }

    /// Bytes that were not delivered yet.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that it takes.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.retained_bytes_max);
    }

    /// Gives memory back, if nothing is buffered and it is more than is to be kept.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            self.bytes.clear();
            (self.start, self.scanned) = (0, 0);
            if self.bytes.capacity() > self.retained_bytes_max {
                self.bytes = Vec::new();
            }
        }
    }

    /// What is true after any change, whatever arrives and however it is cut.
    fn invariants(&self) {
        assert!(self.start <= self.scanned && self.scanned <= self.bytes.len());
        debug_assert!(!self.bytes[self.start..self.scanned].contains(&b'\n'), "a line was passed over");
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETAINED: usize = 100;

    fn all(buffer: &mut LineBuffer, max: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = buffer.next(max) {
            let Ok(line) = line else {
                lines.push("TOO LONG".into());
                break;
            };
            lines.push(String::from_utf8(line.to_vec()).expect("the tests send text"));
        }
        lines
    }

    #[test]
    fn cuts_at_any_byte() {
        let stream = b"one\r\n\n\r\ntwo\nthree";
        for cut in 0..stream.len() {
            let mut buffer = LineBuffer::new(RETAINED);
            buffer.push(&stream[..cut]);
            let mut lines = all(&mut buffer, 100);
            buffer.push(&stream[cut..]);
            lines.extend(all(&mut buffer, 100));
            assert_eq!(lines, ["one", "two"], "cut at {cut}");
            assert_eq!(buffer.len(), 5);
        }
    }

    #[test]
    fn lines_are_cut_from_what_arrived_as_if_it_had_been_buffered() {
        let stream = b"one\r\n\n\r\ntwo\nthree\nfour";
        for (first, second) in
            (0..stream.len()).flat_map(|first| (first..stream.len()).map(move |second| (first, second)))
        {
            let mut buffer = LineBuffer::new(RETAINED);
            let mut lines = Vec::new();
            for mut arrived in [&stream[..first], &stream[first..second], &stream[second..]] {
                while let Some(line) = buffer.next_of(&mut arrived, 100) {
                    lines.push(line.expect("none is too long").to_vec());
                }
                assert!(arrived.is_empty(), "what is no whole line is buffered");
            }
            assert_eq!(lines, [&b"one"[..], b"two", b"three"], "cut at {first} and {second}");
            assert_eq!(buffer.len(), 4);
        }
    }

    #[test]
    fn a_line_that_arrives_whole_or_in_parts_is_too_long_alike() {
        let mut buffer = LineBuffer::new(RETAINED);
        assert_eq!(buffer.next_of(&mut &b"123456\n"[..], 5), Some(Err(TooLong)));
        let mut buffer = LineBuffer::new(RETAINED);
        assert_eq!(buffer.next_of(&mut &b"1234"[..], 5), None);
        assert_eq!(buffer.next_of(&mut &b"56\n"[..], 5), Some(Err(TooLong)));
    }

    #[test]
    fn a_line_of_the_limit_passes_and_one_more_byte_does_not() {
        for end in ["\n", "\r\n"] {
            let mut buffer = LineBuffer::new(RETAINED);
            buffer.push(format!("12345{end}").as_bytes());
            assert_eq!(all(&mut buffer, 5), ["12345"]);
            buffer.push(format!("123456{end}").as_bytes());
            assert_eq!(all(&mut buffer, 5), ["TOO LONG"]);
        }
    }

    #[test]
    fn a_line_without_an_end_is_too_long_once_it_cannot_fit() {
        let mut buffer = LineBuffer::new(RETAINED);
        buffer.push(b"12345\r");
        assert_eq!(all(&mut buffer, 5), [""; 0]);
        buffer.push(b"7");
        assert_eq!(all(&mut buffer, 5), ["TOO LONG"]);
        assert_eq!(all(&mut buffer, 5), ["TOO LONG"], "it stays an error");
    }

    #[test]
    fn an_empty_buffer_gives_its_memory_back() {
        let mut buffer = LineBuffer::new(RETAINED);
        buffer.push(&[b'x'; 100_000]);
        buffer.push(b"\n");
        assert_eq!(all(&mut buffer, 200_000).len(), 1);
        assert!(buffer.bytes.capacity() <= RETAINED);
    }
}
