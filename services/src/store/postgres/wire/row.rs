//! [`Row`] and [`Value`]: what comes out of a statement and what goes into it, in the binary format of the three types that
//! all engines have: `bigint`, `text` and `bytea`. A parameter may be an array, too.

use std::fmt;
use std::mem;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::DataRowBody;
use postgres_protocol::types::{ArrayDimension, array_to_sql, bytea_to_sql, int8_to_sql, text_to_sql};
use postgres_protocol::{IsNull, Oid};

use super::error::Failure;

/// The most rows that a flight may return: more than ten of the longest pages.
const ROWS_MAX: usize = 16_384;
/// The most that these may take, in bytes.
const ROWS_BYTES_MAX: usize = 32 << 20;

/// A parameter of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A `bigint`.
    Int(i64),
    /// A `text`.
    Text(String),
    /// A `bytea`.
    Bytes(Vec<u8>),
    /// A `text[]`, which stands for several rows or alternatives. None is stored.
    Texts(Vec<String>),
    /// A `bytea[]`, which stands for alternatives. None is stored.
    BytesArray(Vec<Vec<u8>>),
}

/// A row of a result. Its statement says what its columns are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    bytes: Bytes,
    /// Where each column lies in them; `None` is NULL.
    columns: Box<[Option<Range<usize>>]>,
}

/// The rows of the statement that is answered, within what all those of its flight may be.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: Vec<Row>,
    /// Of the flight so far.
    count: usize,
    bytes: usize,
}

/// A column is not what its statement says.
#[derive(Debug, PartialEq, Eq)]
pub struct BadRow {
    column: usize,
    expected: &'static str,
}

impl Value {
    /// The type, as the server numbers it.
    pub(super) fn oid(&self) -> Oid {
        match self {
            Self::Int(_) => 20,
            Self::Text(_) => TEXT,
            Self::Bytes(_) => BYTEA,
            Self::Texts(_) => 1009,
            Self::BytesArray(_) => 1001,
        }
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Int(value) => int8_to_sql(*value, out),
            Self::Text(value) => text_to_sql(value, out),
            Self::Bytes(value) => bytea_to_sql(value, out),
            Self::Texts(values) => write_array(TEXT, values, |value, out| text_to_sql(value, out), out),
            Self::BytesArray(values) => {
                write_array(BYTEA, values, |value, out| bytea_to_sql(value, out), out)
            }
        }
    }
}

impl Row {
    /// What is in a message.
    pub(super) fn read(body: &DataRowBody) -> Result<Self, Failure> {
        let columns: Vec<_> =
            body.ranges().collect().map_err(|_| Failure::Malformed("a row is not as long as it says"))?;
        // A part of what was received would keep all of it.
        Ok(Self { bytes: Bytes::copy_from_slice(body.buffer_bytes()), columns: columns.into() })
    }

    /// How much of it is kept, in bytes.
    fn size(&self) -> usize {
        self.bytes.len() + self.columns.len() * size_of::<Option<Range<usize>>>()
    }

    /// The `bigint` of a column, which are counted from 0.
    ///
    /// # Errors
    /// It is none.
    pub fn int(&self, column: usize) -> Result<i64, BadRow> {
        let value = self.column(column).and_then(|bytes| bytes.try_into().ok());
        value.map(i64::from_be_bytes).ok_or(BadRow { column, expected: "bigint" })
    }

    /// The `text` of a column.
    ///
    /// # Errors
    /// It is none.
    pub fn text(&self, column: usize) -> Result<&str, BadRow> {
        let value = self.column(column).and_then(|bytes| std::str::from_utf8(bytes).ok());
        value.ok_or(BadRow { column, expected: "text" })
    }

    /// The `bytea` of a column.
    ///
    /// # Errors
    /// It is none.
    pub fn bytes(&self, column: usize) -> Result<&[u8], BadRow> {
        self.column(column).ok_or(BadRow { column, expected: "bytea" })
    }

    fn column(&self, column: usize) -> Option<&[u8]> {
        let range = self.columns.get(column)?.clone()?;
        self.bytes.get(range)
    }
}

impl Rows {
    /// Adds a row.
    ///
    /// # Errors
    /// The flight has returned too many.
    pub(super) fn keep(&mut self, row: Row) -> Result<(), Failure> {
        self.count += 1;
        self.bytes += row.size();
        if self.count > ROWS_MAX || self.bytes > ROWS_BYTES_MAX {
            return Err(Failure::Malformed("a result has more than 16384 rows or 32 MiB"));
        }
        self.rows.push(row);
        Ok(())
    }

    /// The statement is answered: takes what it has returned.
    pub(super) fn take(&mut self) -> Vec<Row> {
        mem::take(&mut self.rows)
    }
}

/// How the server numbers `text`.
const TEXT: Oid = 25;
/// How the server numbers `bytea`.
const BYTEA: Oid = 17;

fn write_array<T>(of: Oid, values: &[T], write: impl Fn(&T, &mut BytesMut), out: &mut BytesMut) {
    let len = i32::try_from(values.len()).expect("an array has a few elements");
    let write = |value: &T, out: &mut BytesMut| {
        write(value, out);
        Ok(IsNull::No)
    };
    let written = array_to_sql([ArrayDimension { len, lower_bound: 1 }], of, values, write, out);
    assert!(written.is_ok(), "an array has few elements, and none of 2 GiB");
}

#[cfg(test)]
impl Row {
    /// A row with one `bigint`.
    pub(in super::super) fn of_int(value: i64) -> Self {
        Self { bytes: Bytes::copy_from_slice(&value.to_be_bytes()), columns: Box::new([Some(0..8)]) }
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {} of a row is no {}", self.column, self.expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_bytes_are_arrays_of_one_dimension() {
        let written = |value: Value| {
            let mut out = BytesMut::new();
            value.write(&mut out);
            out
        };
        let texts = written(Value::Texts(vec!["a".to_owned(), "ß".to_owned()]));
        let (header, elements) = texts.split_at(20);
        // Dimensions, whether one is NULL, the type of all, how many there are, and the number of the first.
        assert_eq!(header, [1, 0, 25, 2, 1].map(i32::to_be_bytes).concat());
        assert_eq!(elements, b"\0\0\0\x01a\0\0\0\x02\xc3\x9f");
        let bytes = written(Value::BytesArray(vec![vec![0, 255]]));
        let (header, elements) = bytes.split_at(20);
        assert_eq!(header, [1, 0, 17, 1, 1].map(i32::to_be_bytes).concat());
        assert_eq!(elements, b"\0\0\0\x02\0\xff");
        assert_eq!(Value::Texts(Vec::new()).oid(), 1009);
    }
}
