//! A client that sends bytes and reads lines, and checks the envelope of every reply to the byte.

use std::fmt::Display;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long a reply may take before a test fails instead of hanging.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// One connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    last_id: u64,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(REPLY_TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(REPLY_TIMEOUT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream: BufReader::new(stream), last_id: 0 }
    }

    /// The reply to a request; `data` is JSON.
    #[track_caller]
    pub(crate) fn call(&mut self, api: &str, data: impl Display) -> Reply {
        self.last_id += 1;
        let id = self.last_id;
        self.send(format!(r#"{{"type":"Request","request_id":{id},"api":"{api}","data":{data}}}"#));
        Reply::new(self.read_line(), &id.to_string())
    }

    /// The data of the reply to a request that succeeds.
    #[track_caller]
    pub(crate) fn ok(&mut self, api: &str, data: impl Display) -> Value {
        serde_json::from_str(&self.ok_text(api, data)).unwrap()
    }

    /// The same as JSON text.
    #[track_caller]
    pub(crate) fn ok_text(&mut self, api: &str, data: impl Display) -> String {
        self.call(api, data).data()
    }

    /// The message with which a request is refused.
    #[track_caller]
    pub(crate) fn refused(&mut self, api: &str, data: impl Display, code: &str) -> String {
        let shown = data.to_string();
        let reply = self.call(api, data);
        reply.refused_with(code, &format!("{api} {shown}"))
    }

    /// The reply to a line that is sent as it is.
    #[track_caller]
    pub(crate) fn exchange(&mut self, line: impl AsRef<[u8]>) -> String {
        self.send(line);
        self.read_line()
    }

    /// Sends a line; its end is added.
    pub(crate) fn send(&mut self, line: impl AsRef<[u8]>) {
        let line = [line.as_ref(), b"\n"].concat();
        self.send_bytes(&line);
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.get_ref().write_all(bytes).unwrap();
    }

    /// Sends what the other side may no longer want to read.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_ref().write_all(bytes);
    }

    /// Sends nothing more, and can still read.
    pub(crate) fn finish(&mut self) {
        self.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// The next line, without its end.
    #[track_caller]
    pub(crate) fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a reply in time");
        assert_eq!(line.pop(), Some('\n'), "a whole line, not {line:?}");
        line
    }

    /// Checks that the service has closed the connection, and has sent nothing more.
    #[track_caller]
    pub(crate) fn assert_closed(&mut self) {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => assert_eq!(rest.escape_ascii().to_string(), ""),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }

    /// Checks that nothing arrives for a while.
    pub(crate) fn assert_silent(&mut self, patience: Duration) {
        self.stream.get_ref().set_read_timeout(Some(patience)).unwrap();
        let error = self.stream.fill_buf().expect_err("nothing is sent");
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        self.stream.get_ref().set_read_timeout(Some(REPLY_TIMEOUT)).unwrap();
    }

    /// Checks that the service still answers on this connection.
    #[track_caller]
    pub(crate) fn assert_usable(&mut self) {
        self.ok("Ping", "{}");
    }
}

/// A reply that answers the right request.
pub(crate) struct Reply {
    line: String,
    /// What stands before `ok`.
    head: String,
}

impl Reply {
    #[track_caller]
    pub(crate) fn new(line: String, id: &str) -> Reply {
        let head = format!(r#"{{"type":"Response","request_id":{id},"ok":"#);
        assert!(line.starts_with(&head), "{line} answers {id}");
        Reply { line, head }
    }

    /// The JSON of the data of a reply that reports success.
    #[track_caller]
    pub(crate) fn data(&self) -> String {
        let rest = self.line[self.head.len()..].strip_prefix(r#"true,"error":null,"data":"#);
        let data = rest.and_then(|rest| rest.strip_suffix('}'));
        let data = data.unwrap_or_else(|| panic!("success, not {}", self.line));
        assert!(serde_json::from_str::<Value>(data).unwrap().is_object(), "{data}");
        data.to_owned()
    }

    /// The message of a reply that reports this error.
    #[track_caller]
    pub(crate) fn refused_with(&self, code: &str, request: &str) -> String {
        let value: Value = serde_json::from_str(&self.line).unwrap();
        let message = value["error"]["message"].as_str();
        let message = message.unwrap_or_else(|| panic!("{request} is refused, not {}", self.line));
        let error = format!(r#"{{"code":"{code}","message":{}}}"#, Value::from(message));
        let expected = format!(r#"{}false,"error":{error},"data":null}}"#, self.head);
        assert_eq!(self.line, expected, "{request}");
        assert!(!message.is_empty());
        message.to_owned()
    }
}
