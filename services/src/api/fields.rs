//! [`Fields`]: reads the `data` of a request, field by field, and refuses what no API asked for.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{Code, Error, quoted};
use super::values::Value;

/// The most fields of a request. No API takes half as many, and a line has room for many thousand.
const FIELDS_MAX: usize = 16;

/// The fields of a request that were not taken yet, borrowed from its line.
pub(crate) struct Fields<'a> {
    entries: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// Reads the JSON of `data`, as far as it may be the fields of a request.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: it is no object, has more than [`FIELDS_MAX`] fields, or has one of them twice.
    pub(crate) fn parse(data: &'a str) -> Result<Self, Error> {
        let mut entries = Vec::with_capacity(8);
        let mut deserializer = serde_json::Deserializer::from_str(data);
        let read = deserializer.deserialize_map(EntriesVisitor(&mut entries));
        // The reading was ended there, and what follows is of no interest.
        if let [(first, _), ..] = &*entries
            && entries.len() > FIELDS_MAX
        {
            let first = quoted(first);
            let message =
                format!("`data` has more than {FIELDS_MAX} fields (`{first}`, …), and no API takes so many");
            return Err(invalid(message));
        }
        read.map_err(|_| invalid("`data` must be a JSON object"))?;
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        match entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(invalid(format!("field `{}` is given twice", quoted(&pair[0].0)))),
            None => Ok(Self { entries }),
        }
    }

    /// Takes a field that must be there.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: it is missing, or breaks the rule of its type.
    pub(crate) fn required<V: Value>(&mut self, name: &'static str) -> Result<V, Error> {
        let missing = || invalid(format!("`{name}` is missing: it must be {}", V::RULE));
        let raw = self.take(name).ok_or_else(missing)?;
        decode(name, raw)
    }

    /// Takes a field that may be left out, or be `null`, which means the same.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: it breaks the rule of its type.
    pub(crate) fn optional<V: Value>(&mut self, name: &'static str) -> Result<Option<V>, Error> {
        let raw = self.take(name).filter(|raw| raw.get() != "null");
        raw.map(|raw| decode(name, raw)).transpose()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: a field is left that nobody took. `session_id` may be sent to every API, and is
    /// checked for its type alone where nobody took it.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.optional::<crate::api::values::SessionId>("session_id")?;
        match self.entries.first() {
            Some((name, _)) => Err(invalid(format!("unknown field `{}`", quoted(name)))),
            None => Ok(()),
        }
    }

    fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let place = self.entries.iter().position(|(entry, _)| entry == name)?;
        Some(self.entries.swap_remove(place).1)
    }
}

/// An `INVALID_ARGUMENT`.
pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Code::InvalidArgument, message)
}

fn decode<V: Value>(name: &str, raw: &RawValue) -> Result<V, Error> {
    V::decode(raw).ok_or_else(|| invalid(format!("`{name}` must be {}", V::RULE)))
}

/// Gathers fields, one more than there may be at most.
struct EntriesVisitor<'v, 'de>(&'v mut Vec<(Cow<'de, str>, &'de RawValue)>);

impl<'de> Visitor<'de> for EntriesVisitor<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(entries) = self;
        while entries.len() <= FIELDS_MAX
            && let Some(name) = map.next_key_seed(NameSeed)?
        {
            entries.push((name, map.next_value()?));
        }
        Ok(())
    }
}

/// Reads a name, which is borrowed where it holds no escape.
pub(crate) struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::values::{Limit, Name, Price};

    fn message<T>(result: Result<T, Error>) -> String {
        let error = result.err().expect("the field is wrong");
        assert_eq!(error.code, Code::InvalidArgument);
        error.message.into_owned()
    }

    #[test]
    fn takes_what_is_asked_and_refuses_the_rest() {
        let mut fields =
            Fields::parse(r#"{"n\u0061me":"Ann","limit":null,"session_id":"x"}"#).expect("an object");
        assert_eq!(fields.required::<Name>("name").expect("there").0, "Ann");
        assert!(fields.optional::<Limit>("limit").expect("null is left out").is_none());
        assert!(fields.finish().is_ok(), "session_id is accepted everywhere");

        assert_eq!(message(Fields::parse(r#"{"b":1}"#).expect("an object").finish()), "unknown field `b`");
    }

    #[test]
    fn errors_name_the_field_and_the_limit() {
        let mut fields = Fields::parse(r#"{"price":-1,"session_id":5}"#).expect("an object");
        let said = message(fields.required::<Price>("price"));
        assert_eq!(said, "`price` must be a number from 0 to 1000000000 with at most two decimals");
        let said = message(fields.required::<Name>("name"));
        assert!(said.starts_with("`name` is missing: it must be a string of 1 to 32"), "{said}");
        assert_eq!(message(fields.finish()), "`session_id` must be a string");
    }

    #[test]
    fn no_more_is_read_than_a_request_may_have() {
        let fields = |count: usize| (0..count).map(|n| format!("\"f{n}\":0")).collect::<Vec<_>>().join(",");
        let most = fields(FIELDS_MAX);
        assert_eq!(
            message(Fields::parse(&format!("{{{most}}}")).expect("they are read").finish()),
            "unknown field `f0`"
        );
        let said = "`data` has more than 16 fields (`f0`, …), and no API takes so many";
        assert_eq!(message(Fields::parse(&format!("{{{}}}", fields(FIELDS_MAX + 1)))), said);
        assert_eq!(message(Fields::parse(&format!("{{{most},\"f0\":1,what follows is not looked at"))), said);
        let long = format!("{{\"{}\":0,{most}}}", "x".repeat(60_000));
        assert!(message(Fields::parse(&long)).len() < 200);
    }

    #[test]
    fn doubled_fields_and_other_shapes_are_refused() {
        assert_eq!(message(Fields::parse(r#"{"a":1,"b":2,"\u0061":3}"#)), "field `a` is given twice");
        for data in ["[]", "1", "\"x\"", "null"] {
            assert!(message(Fields::parse(data)).contains("object"), "{data}");
        }
        assert!(Fields::parse(r#"{"\ud800":1}"#).is_err());
    }
}
