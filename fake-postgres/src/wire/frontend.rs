//! [`Input`]: what a client says.

use std::collections::VecDeque;

use crate::error::SqlError;

/// The longest message that is taken, in bytes.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// The most that waits while a statement does, in bytes.
const INPUT_BYTES_MAX: usize = 64 << 20;
/// What a client begins with in place of a start, if it asks for encryption by TLS or by GSSAPI, or for the end of what
/// another connection does.
const TLS_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
/// The kinds of messages that there are. Those of a copy are none here.
const TAGS: &[u8] = b"PBECDHSXQF";
/// What stands in place of the length of a value that is NULL.
const NULL: u32 = u32::MAX;
/// Version 3.0.
const VERSION: u32 = 3 << 16;

/// Bytes that have come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input(VecDeque<u8>);

/// What a client says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    AskForEncryption,
    Cancel,
    Begin,
}

/// A message of a kind that there is, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    tag: u8,
    body: Vec<u8>,
}

/// What a client says once it was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Parse {
        name: String,
        sql: String,
        types: Vec<u32>,
    },
    Bind {
        statement: String,
        parameters: Vec<Parameter>,
        formats: Vec<Format>,
    },
    Execute,
    /// What is to be forgotten is a statement.
    CloseStatement(String),
    ClosePortal,
    Flush,
    Sync,
    Terminate,
    /// This server does not know it.
    Other(char),
}

/// The value of a parameter; `None` is NULL.
pub(crate) type Parameter = (Format, Option<Vec<u8>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Binary,
}

impl Input {
    /// Takes what has come.
    ///
    /// # Errors
    /// Too much waits.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), SqlError> {
        if self.0.len() + bytes.len() > INPUT_BYTES_MAX {
            return Err(SqlError::protocol("too much is sent ahead").fatal());
        }
        self.0.extend(bytes);
        Ok(())
    }

    /// The first message, if it is there as a whole.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn start(&mut self) -> Result<Option<Start>, SqlError> {
        let Some(body) = self.body(0)? else { return Ok(None) };
        let mut reader = Reader(&body);
        match reader.u32()? {
            TLS_REQUEST | GSS_REQUEST => Ok(Some(Start::AskForEncryption)),
            CANCEL_REQUEST => Ok(Some(Start::Cancel)),
            VERSION => {
                // Names and values up to an empty name. Whoever asks is let in.
                while !reader.string()?.is_empty() {
                    reader.string()?;
                }
                reader.end().map(|()| Some(Start::Begin))
            }
            _ => Err(SqlError::unsupported("this version of the protocol")),
        }
    }

    /// The next message, if it is there as a whole.
    ///
    /// # Errors
    /// It is none, so where the next one begins is not known.
    pub(crate) fn frame(&mut self) -> Result<Option<Frame>, SqlError> {
        let Some(tag) = self.0.front().copied() else { return Ok(None) };
        if !TAGS.contains(&tag) {
            return Err(SqlError::protocol(format!("invalid frontend message type {tag}")).fatal());
        }
        Ok(self.body(1)?.map(|body| Frame { tag, body }))
    }

    /// What is in a message, whose length follows so many bytes.
    fn body(&mut self, before: usize) -> Result<Option<Vec<u8>>, SqlError> {
        let header = before + 4;
        if self.0.len() < header {
            return Ok(None);
        }
        let length = self.0.range(before..header).fold(0, |length, byte| length << 8 | usize::from(*byte));
        if !(4..=MESSAGE_BYTES_MAX).contains(&length) {
            return Err(SqlError::protocol("invalid message length").fatal());
        }
        if self.0.len() < before + length {
            return Ok(None);
        }
        self.0.drain(..header);
        Ok(Some(self.0.drain(..length - 4).collect()))
    }
}

impl Frame {
    /// Whether it is looked at after an error.
    pub(crate) fn ends_skipping(&self) -> bool {
        matches!(self.tag, b'S' | b'X')
    }

    /// What it says.
    ///
    /// # Errors
    /// It is not what it is meant to be.
    pub(crate) fn read(&self) -> Result<Message, SqlError> {
        let mut reader = Reader(&self.body);
        let message = match self.tag {
            b'P' => reader.parse()?,
            b'B' => reader.bind()?,
            b'E' => {
                reader.portal()?;
                match reader.u32()? {
                    0 => Message::Execute,
                    _ => return Err(SqlError::unsupported("a part of a result")),
                }
            }
            b'C' => match reader.u8()? {
                b'S' => Message::CloseStatement(reader.string()?),
                b'P' => {
                    reader.string()?;
                    Message::ClosePortal
                }
                kind => return Err(SqlError::protocol(format!("invalid CLOSE message subtype {kind}"))),
            },
            b'H' => Message::Flush,
            b'S' => Message::Sync,
            b'X' => Message::Terminate,
            tag => return Ok(Message::Other(char::from(tag))),
        };
        reader.end().map(|()| message)
    }
}

/// What is left of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn parse(&mut self) -> Result<Message, SqlError> {
        let (name, sql) = (self.string()?, self.string()?);
        let count = self.u16()?;
        let types = (0..count).map(|_| self.u32()).collect::<Result<_, _>>()?;
        Ok(Message::Parse { name, sql, types })
    }

    fn bind(&mut self) -> Result<Message, SqlError> {
        self.portal()?;
        let statement = self.string()?;
        let formats = self.formats()?;
        let count = self.u16()?;
        let mut parameters = Vec::new();
        for number in 0..usize::from(count) {
            let value = match self.u32()? {
                NULL => None,
                length => Some(self.bytes(length as usize)?.to_vec()),
            };
            parameters.push((format_of(&formats, number), value));
        }
        let formats = self.formats()?;
        Ok(Message::Bind { statement, parameters, formats })
    }

    /// The name of a portal, of which there is one, without a name.
    fn portal(&mut self) -> Result<(), SqlError> {
        match &*self.string()? {
            "" => Ok(()),
            _ => Err(SqlError::unsupported("a portal with a name")),
        }
    }

    fn formats(&mut self) -> Result<Vec<Format>, SqlError> {
        let count = self.u16()?;
        let mut format = || match self.u16()? {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            _ => Err(SqlError::protocol("unsupported format code")),
        };
        (0..count).map(|_| format()).collect()
    }

    fn string(&mut self) -> Result<String, SqlError> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let end = end.ok_or_else(|| SqlError::protocol("invalid string in message"))?;
        let text = std::str::from_utf8(self.bytes(end)?).map(str::to_owned);
        self.u8()?;
        text.map_err(|_| SqlError::protocol("a text is no UTF-8"))
    }

    fn u8(&mut self) -> Result<u8, SqlError> {
        Ok(self.bytes(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, SqlError> {
        Ok(self.bytes(2)?.iter().fold(0, |number, byte| number << 8 | u16::from(*byte)))
    }

    fn u32(&mut self) -> Result<u32, SqlError> {
        Ok(self.bytes(4)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], SqlError> {
        let split = self.0.split_at_checked(count);
        let (bytes, rest) = split.ok_or_else(|| SqlError::protocol("insufficient data left in message"))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn end(&self) -> Result<(), SqlError> {
        if self.0.is_empty() { Ok(()) } else { Err(SqlError::protocol("invalid message format")) }
    }
}

/// The format of a column or a parameter: one for each, one for all, or text.
pub(crate) fn format_of(formats: &[Format], number: usize) -> Format {
    match formats {
        [] => Format::Text,
        [format] => *format,
        formats => formats.get(number).copied().unwrap_or(Format::Text),
    }
}
