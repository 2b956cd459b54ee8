//! The log of several processes in one: each line whole, and under the name of the process that wrote it.
//!
//! No process waits for whoever reads it: lines that are not taken in time are dropped, and their number is told.

use std::io::{self, Write};

use crate::process::log_writer::{Entry, LogWriter};
use crate::service::Service;

/// Names are padded to the length of the longest one.
const NAME_CHARS: usize = Service::ServerSeller.name().len();

/// Where lines are handed in.
pub(crate) struct CombinedLog(LogWriter<Vec<u8>>);

impl CombinedLog {
    /// Has a thread write to `out`, with one write for each line. What cannot be written is lost: there is nowhere to
    /// report it to.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn start(mut out: impl Write + Send + 'static) -> io::Result<Self> {
        LogWriter::start(move |entry: Entry<Vec<u8>>| {
            let _ = match entry {
                Entry::Line(line) => out.write_all(&line),
                Entry::Dropped(count) => {
                    out.write_all(format!("error: {count} lines of the log were dropped here\n").as_bytes())
                }
            };
        })
        .map(Self)
    }

    /// Hands in a line of this process.
    pub(crate) fn line(&self, line: &str) {
        push(&self.0, "", line.as_bytes());
    }

    /// Where lines of another process are handed in, without their ends.
    pub(crate) fn writer(&self, name: &str) -> impl FnMut(&[u8]) + Send + use<> {
        let (writer, prefix) = (self.0.clone(), format!("{name:NAME_CHARS$} | "));
        move |line| push(&writer, &prefix, line)
    }

    /// Waits until all is written, once the processes have ended, but not for ever.
    pub(crate) fn finish(self) {
        self.0.flush();
    }
}

fn push(writer: &LogWriter<Vec<u8>>, prefix: &str, line: &[u8]) {
    let line = [prefix.as_bytes(), line, b"\n"].concat();
    let bytes = line.len();
    writer.push(line, bytes);
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::child::read_lines;

    /// Notes each write.
    struct Out(Arc<Mutex<Vec<String>>>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_line_is_written_at_once_under_its_name() {
        let writes = Arc::default();
        let log = CombinedLog::start(Out(Arc::clone(&writes))).unwrap();
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
}
