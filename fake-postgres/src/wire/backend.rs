//! [`Output`]: what a client is told.

use crate::error::SqlError;

/// Bytes for a client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output(Vec<u8>);

/// Whether a transaction is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    None = b'I' as isize,
    Open = b'T' as isize,
    Failed = b'E' as isize,
}

impl Output {
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The answer to who asks for encryption: there is none.
    pub(crate) fn unencrypted(&mut self) {
        self.0.push(b'N');
    }

    /// All that lets a client in.
    pub(crate) fn admission(&mut self, is_read_only: bool) {
        self.message(b'R', &0u32.to_be_bytes());
        let in_standby = if is_read_only { "on" } else { "off" };
        let parameters = [
            ("server_version", "15.0"),
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("standard_conforming_strings", "on"),
            ("in_hot_standby", in_standby),
            ("default_transaction_read_only", "off"),
        ];
        for (name, value) in parameters {
            self.message(b'S', format!("{name}\0{value}\0").as_bytes());
        }
        self.message(b'K', &[0; 8]);
        self.ready(Status::None);
    }

    pub(crate) fn parsed(&mut self) {
        self.message(b'1', &[]);
    }

    pub(crate) fn bound(&mut self) {
        self.message(b'2', &[]);
    }

    pub(crate) fn closed(&mut self) {
        self.message(b'3', &[]);
    }

    /// A row of a result; `None` is NULL.
    pub(crate) fn row(&mut self, columns: &[Option<Vec<u8>>]) {
        let mut body = u16::try_from(columns.len()).expect("rows are narrow").to_be_bytes().to_vec();
        for column in columns {
            let length =
                column.as_ref().map_or(-1, |bytes| i32::try_from(bytes.len()).expect("rows are short"));
            body.extend(length.to_be_bytes());
            body.extend(column.as_deref().unwrap_or_default());
        }
        self.message(b'D', &body);
    }

    pub(crate) fn complete(&mut self, tag: &str) {
        self.message(b'C', format!("{tag}\0").as_bytes());
    }

    /// What has gone wrong.
    pub(crate) fn error(&mut self, SqlError { code, message, is_fatal }: &SqlError) {
        let severity = if *is_fatal { "FATAL" } else { "ERROR" };
        let message = message.replace('\0', " ");
        self.message(b'E', format!("S{severity}\0V{severity}\0C{code}\0M{message}\0\0").as_bytes());
    }

    /// All up to a Sync is answered.
    pub(crate) fn ready(&mut self, status: Status) {
        self.message(b'Z', &[status as u8]);
    }

    fn message(&mut self, tag: u8, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).expect("messages are short");
        self.0.push(tag);
        self.0.extend(length.to_be_bytes());
        self.0.extend(body);
    }
}
