//! [`Value`]: what stands in a column or comes of an expression, and how it travels: the three types that tables have,
//! truth, and arrays, which are parameters only.

use std::sync::Arc;

use crate::error::SqlError;

/// A value. Those of a type are ordered as PostgreSQL orders them (texts by their bytes, as in the locale C), and NULL comes
/// last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    Array(Arc<[Value]>),
    Null,
}

/// The values of a row, in the order of its columns.
pub(crate) type Row = Arc<[Value]>;

/// A type that a column or a parameter may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int,
    Text,
    Bytes,
    Texts,
    BytesArray,
}

impl Type {
    /// The type that has this number in the protocol.
    pub(crate) fn from_oid(oid: u32) -> Result<Self, SqlError> {
        Ok(match oid {
            16 => Self::Bool,
            17 => Self::Bytes,
            20 => Self::Int,
            25 => Self::Text,
            1001 => Self::BytesArray,
            1009 => Self::Texts,
            _ => return Err(SqlError::unsupported(format!("a parameter of type {oid}"))),
        })
    }

    /// The type of an array's elements.
    fn element(self) -> Option<Self> {
        match self {
            Self::Texts => Some(Self::Text),
            Self::BytesArray => Some(Self::Bytes),
            _ => None,
        }
    }

    fn oid(self) -> u32 {
        match self {
            Self::Bool => 16,
            Self::Bytes => 17,
            Self::Int => 20,
            Self::Text => 25,
            Self::BytesArray => 1001,
            Self::Texts => 1009,
        }
    }

    /// What a parameter of this type is in the binary format.
    pub(crate) fn decode(self, bytes: &[u8]) -> Result<Value, SqlError> {
        let malformed = || SqlError::new("22P03", "incorrect binary data format in a parameter");
        Ok(match self {
            Self::Bool => match bytes {
                [byte] => Value::Bool(*byte != 0),
                _ => return Err(malformed()),
            },
            Self::Int => Value::Int(i64::from_be_bytes(bytes.try_into().map_err(|_| malformed())?)),
            Self::Text => Value::Text(text(bytes)?),
            Self::Bytes => Value::Bytes(bytes.into()),
            Self::Texts | Self::BytesArray => {
                let element = self.element().ok_or_else(malformed)?;
                Value::Array(array(element, bytes).ok_or_else(malformed)?.into())
            }
        })
    }

    /// What a parameter of this type is as text.
    pub(crate) fn parse(self, bytes: &[u8]) -> Result<Value, SqlError> {
        Value::Text(text(bytes)?).cast(self)
    }
}

/// PostgreSQL's texts hold no NUL.
fn text(bytes: &[u8]) -> Result<Arc<str>, SqlError> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text.into()),
        _ => Err(SqlError::new("22021", "invalid byte sequence for encoding \"UTF8\"")),
    }
}

/// The elements of an array of one dimension, none of which is NULL.
fn array(element: Type, bytes: &[u8]) -> Option<Vec<Value>> {
    let (header, mut rest) = bytes.split_at_checked(12)?;
    let number = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let (dimensions, has_null, oid) = (number(0)?, number(4)?, number(8)?);
    if has_null != 0 || oid != element.oid() {
        return None;
    }
    if dimensions == 0 {
        return rest.is_empty().then(Vec::new);
    }
    let (bounds, elements) = rest.split_at_checked(8)?;
    rest = elements;
    let count = u32::from_be_bytes(bounds[..4].try_into().ok()?);
    let mut values = Vec::new();
    for _ in 0..count {
        let (length, more) = rest.split_at_checked(4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?);
        let (bytes, more) = more.split_at_checked(usize::try_from(length).ok()?)?;
        values.push(element.decode(bytes).ok()?);
        rest = more;
    }
    (dimensions == 1 && rest.is_empty()).then_some(values)
}

impl Value {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// Whether a column of this type may hold it. Whatever type there is, NULL is of it.
    pub(crate) fn is_of(&self, ty: Type) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(_) => ty == Type::Bool,
            Self::Int(_) => ty == Type::Int,
            Self::Text(_) => ty == Type::Text,
            Self::Bytes(_) => ty == Type::Bytes,
            Self::Array(values) => {
                ty.element().is_some_and(|element| values.iter().all(|value| value.is_of(element)))
            }
        }
    }

    /// The same as a value of another type.
    pub(crate) fn cast(self, ty: Type) -> Result<Self, SqlError> {
        match self {
            value if value.is_of(ty) => Ok(value),
            Self::Text(text) if ty == Type::Int => {
                let number = text.trim().parse().map(Self::Int);
                number.map_err(|_| SqlError::new("22P02", "invalid input syntax for type bigint"))
            }
            Self::Text(text) if ty == Type::Bytes => bytes_from_hex(&text)
                .ok_or_else(|| SqlError::new("22P02", "invalid input syntax for type bytea")),
            Self::Int(number) if ty == Type::Text => Ok(Self::text(&number.to_string())),
            _ => Err(SqlError::unsupported(format!("a cast to {ty:?}"))),
        }
    }

    /// Its bytes in the protocol's binary format; `None` is NULL.
    pub(crate) fn encode(&self) -> Result<Option<Vec<u8>>, SqlError> {
        Ok(Some(match self {
            Self::Null => return Ok(None),
            Self::Bool(value) => vec![u8::from(*value)],
            Self::Int(value) => value.to_be_bytes().to_vec(),
            Self::Text(value) => value.as_bytes().to_vec(),
            Self::Bytes(value) => value.to_vec(),
            Self::Array(_) => return Err(SqlError::unsupported("an array in a result")),
        }))
    }

    /// Its bytes in the protocol's text format; `None` is NULL.
    pub(crate) fn print(&self) -> Result<Option<Vec<u8>>, SqlError> {
        Ok(Some(match self {
            Self::Bool(value) => if *value { "t" } else { "f" }.into(),
            Self::Int(value) => value.to_string().into_bytes(),
            Self::Bytes(value) => {
                let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("\\x{digits}").into_bytes()
            }
            _ => return self.encode(),
        }))
    }
}

/// Bytes as they are written in a literal: `\x` and hexadecimal digits, or nothing.
fn bytes_from_hex(text: &str) -> Option<Value> {
    if text.is_empty() {
        return Some(Value::Bytes([].into()));
    }
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    bytes.filter(|_| rest.is_empty()).map(|bytes| Value::Bytes(bytes.into()))
}
