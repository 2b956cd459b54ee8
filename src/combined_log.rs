//! The log of several processes in one: each line whole, and under the name of the process that wrote it.
//!
//! No process waits for whoever reads it: lines that are not taken in time are dropped, and their number is told.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::Duration;

use net::spawn_thread;

use crate::service::Service;

/// Lines that wait to be written.
const LINES_MAX: usize = 1024;
/// Names are padded to the length of the longest one.
const NAME_CHARS: usize = Service::ServerSeller.name().len();
/// How long lines are waited for at the end.
const FINISH_MAX: Duration = Duration::from_secs(1);

/// Where lines are handed in.
pub(crate) struct CombinedLog {
    queue: Queue,
    /// Disconnected once the last line is written.
    written: Receiver<()>,
}

/// The way to the thread that writes.
#[derive(Clone)]
struct Queue {
    lines: SyncSender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

impl CombinedLog {
    /// Has a thread write to `out`, with one write for each line.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, waiting) = sync_channel(LINES_MAX);
        let (written_out, written) = channel();
        let dropped = Arc::new(AtomicU64::new(0));
        let queue = Queue { lines, dropped: Arc::clone(&dropped) };
        spawn_thread("log", move || {
            write(out, &waiting, &dropped);
            drop(written_out);
        })?;
        Ok(Self { queue, written })
    }

    /// Hands in a line of this process.
    pub(crate) fn line(&self, line: &str) {
        self.queue.push("", line.as_bytes());
    }

    /// Where lines of another process are handed in, without their ends.
    pub(crate) fn writer(&self, name: &str) -> impl FnMut(&[u8]) + Send + use<> {
        let (queue, prefix) = (self.queue.clone(), format!("{name:NAME_CHARS$} | "));
        move |line| queue.push(&prefix, line)
    }

    /// Waits until all is written, once the processes have ended, but not for ever.
    pub(crate) fn finish(self) {
        drop(self.queue);
        // Nothing is sent, so it ends in an error either way.
        let _ = self.written.recv_timeout(FINISH_MAX);
    }
}

impl Queue {
    fn push(&self, prefix: &str, line: &[u8]) {
        if self.lines.try_send([prefix.as_bytes(), line, b"\n"].concat()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes what is handed in. What cannot be written is lost: there is nowhere to report it to.
fn write(mut out: impl Write, waiting: &Receiver<Vec<u8>>, dropped: &AtomicU64) {
    for line in waiting {
        let _ = out.write_all(&line);
        let count = dropped.swap(0, Ordering::Relaxed);
        if count > 0 {
            let _ = out.write_all(format!("error: {count} lines of the log were dropped here\n").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::child::read_lines;

    /// Notes each write, and waits before the first one until it may.
    struct Out {
        writes: Arc<Mutex<Vec<String>>>,
        gate: Option<Receiver<()>>,
    }

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(gate) = self.gate.take() {
                let _ = gate.recv();
            }
            self.writes.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(gate: Option<Receiver<()>>) -> (CombinedLog, Arc<Mutex<Vec<String>>>) {
        let writes = Arc::default();
        (CombinedLog::start(Out { writes: Arc::clone(&writes), gate }).unwrap(), writes)
    }

    #[test]
    fn each_line_is_written_at_once_under_its_name() {
        let (log, writes) = log(None);
        read_lines(&b"one\n\nno end"[..], log.writer("db_product"));
        read_lines(&b"two\n"[..], log.writer("server_seller"));
        log.line("error: three");
        log.finish();
        let mut writes = writes.lock().unwrap().clone();
        writes.sort();
        let expected = [
            "db_product    | \n",
            "db_product    | no end\n",
            "db_product    | one\n",
            "error: three\n",
            "server_seller | two\n",
        ];
        assert_eq!(writes, expected);
    }

    #[test]
    fn nobody_waits_for_a_reader_that_does_not_read() {
        let (open, gate) = channel();
        let (log, writes) = log(Some(gate));
        let lines = 2 * LINES_MAX;
        (0..lines).for_each(|n| log.line(&n.to_string()));
        open.send(()).unwrap();
        log.finish();
        let writes = writes.lock().unwrap();
        let dropped = writes.iter().find(|line| line.contains("were dropped")).expect("it is told");
        let written = writes.len() - 1;
        assert!((LINES_MAX..=LINES_MAX + 1).contains(&written), "{written}");
        assert!(dropped.contains(&format!("{} lines", lines - written)), "{dropped}");
    }
}
