//! [`LogWriter`]: a thread that writes a log, so that nobody else waits for whoever reads it.
//!
//! What it is handed waits in a queue that is bounded. Lines for which there is no room are dropped, and where they are
//! missing, their number is told. What a line is, and how it is written, is not known here.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use net::spawn_thread;

/// Lines that wait to be written.
const LINES_MAX: usize = 1024;
/// Their bytes.
const BYTES_MAX: usize = 1024 * 1024;
/// How long [`LogWriter::flush`] waits. Whoever reads a log takes all that waits in far less, and the end of a process
/// waits no longer for anybody who does not.
const FLUSH_MAX: Duration = Duration::from_millis(500);

/// What is to be written next.
pub(crate) enum Entry<L> {
    Line(L),
    /// So many lines are missing here.
    Dropped(u64),
}

/// Where lines are handed in, from any thread.
pub(crate) struct LogWriter<L>(Arc<Shared<L>>);

struct Shared<L> {
    queue: Mutex<Queue<L>>,
    /// Something waits, or what waited is written.
    changed: Condvar,
}

struct Queue<L> {
    /// Each with its bytes.
    entries: VecDeque<(Entry<L>, usize)>,
    bytes: usize,
    /// Lines that were dropped after the last one that was taken.
    dropped: u64,
    dropped_total: u64,
    /// An entry has left the queue and is not yet written.
    is_writing: bool,
}

impl<L: Send + 'static> LogWriter<L> {
    /// Has a thread call `write` with each entry. It may block, and does not panic.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn start(mut write: impl FnMut(Entry<L>) + Send + 'static) -> io::Result<Self> {
        let writer = Self(Arc::new(Shared { queue: Mutex::default(), changed: Condvar::new() }));
        let shared = Arc::clone(&writer.0);
        spawn_thread("log", move || {
            loop {
                write(shared.next());
            }
        })?;
        Ok(writer)
    }

    /// Hands in a line of so many bytes, or drops it.
    pub(crate) fn push(&self, line: L, bytes: usize) {
        let mut queue = self.0.queue();
        if queue.entries.len() < LINES_MAX && queue.bytes + bytes <= BYTES_MAX {
            if let Some(dropped) = queue.take_dropped() {
                queue.entries.push_back((dropped, 0));
            }
            queue.entries.push_back((Entry::Line(line), bytes));
            queue.bytes += bytes;
            self.0.changed.notify_all();
        } else {
            queue.dropped += 1;
            queue.dropped_total += 1;
        }
    }

    /// Waits until all that was handed in is written, but no longer than half a second.
    pub(crate) fn flush(&self) {
        let is_unwritten =
            |queue: &mut Queue<L>| queue.is_writing || queue.dropped > 0 || !queue.entries.is_empty();
        // A writer that is too slow, or a lock that is poisoned: either way, there is nothing left to do.
        let _ = self.0.changed.wait_timeout_while(self.0.queue(), FLUSH_MAX, is_unwritten);
    }

    /// Lines that were dropped so far.
    pub(crate) fn dropped_total(&self) -> u64 {
        self.0.queue().dropped_total
    }
}

impl<L> Clone for LogWriter<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> Shared<L> {
    /// The last entry is written. Waits for the next one.
    fn next(&self) -> Entry<L> {
        let mut queue = self.queue();
        queue.is_writing = false;
        self.changed.notify_all();
        loop {
            if let Some(entry) = queue.pop() {
                return entry;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing that panics is done while it is locked.
    fn queue(&self) -> MutexGuard<'_, Queue<L>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L> Queue<L> {
    fn pop(&mut self) -> Option<Entry<L>> {
        let entry = match self.entries.pop_front() {
            Some((entry, bytes)) => {
                self.bytes -= bytes;
                entry
            }
            None => self.take_dropped()?,
        };
        self.is_writing = true;
        Some(entry)
    }

    fn take_dropped(&mut self) -> Option<Entry<L>> {
        let count = std::mem::take(&mut self.dropped);
        (count > 0).then_some(Entry::Dropped(count))
    }
}

impl<L> Default for Queue<L> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), bytes: 0, dropped: 0, dropped_total: 0, is_writing: false }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A writer whose thread has taken the line 0 and waits to be let on with it, and what it writes: each line as it
    /// is, and a number of dropped ones as a negative one.
    fn blocked() -> (LogWriter<i64>, Sender<()>, Receiver<i64>) {
        let ((open, gate), (written_in, written), (taken_in, taken)) = (channel(), channel(), channel());
        let writer = LogWriter::start(move |entry| {
            let _ = taken_in.send(());
            let _ = gate.recv();
            let _ = written_in.send(match entry {
                Entry::Line(line) => line,
                Entry::Dropped(count) => -i64::try_from(count).unwrap(),
            });
        })
        .unwrap();
        writer.push(0, 1);
        taken.recv().unwrap();
        (writer, open, written)
    }

    #[test]
    fn nobody_waits_for_a_writer_that_waits_and_what_is_dropped_is_told_where_it_is_missing() {
        let (writer, open, written) = blocked();
        let max = i64::try_from(LINES_MAX).unwrap();
        (1..=max + 10).for_each(|line| writer.push(line, 1));
        assert_eq!(writer.dropped_total(), 10);
        (0..2).for_each(|_| open.send(()).unwrap());
        assert_eq!([written.recv().unwrap(), written.recv().unwrap()], [0, 1]);
        // The third entry is out of the queue by the time that there is room for two.
        while writer.0.queue().entries.len() + 2 > LINES_MAX {
            std::thread::yield_now();
        }
        writer.push(-1000, 1);
        drop(open);
        let rest: Vec<_> = written.iter().take(LINES_MAX + 1).collect();
        assert_eq!(rest, (2..=max).chain([-10, -1000]).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_dropped_last_is_told_too_and_all_is_written_after_a_flush() {
        let (writer, open, written) = blocked();
        writer.push(1, BYTES_MAX);
        writer.push(2, 1);
        drop(open);
        writer.flush();
        assert_eq!(written.try_iter().collect::<Vec<_>>(), [0, 1, -1], "its bytes are bounded");
        writer.push(3, BYTES_MAX);
        writer.flush();
        assert_eq!(written.try_iter().collect::<Vec<_>>(), [3], "there is room again");
    }

    #[test]
    fn a_flush_does_not_wait_for_ever() {
        let (writer, _open, written) = blocked();
        writer.flush();
        assert!(written.try_recv().is_err());
    }
}
