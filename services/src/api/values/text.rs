//! Text that people write, each kind with what it may be. All of it is in the form NFC, so that what is written alike
//! is alike, and its length is that of the form NFC.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::Value;
use super::unicode::{is_blank, is_ignorable, is_seen, nfc};

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 32;
/// The longest password, in characters.
const PASSWORD_CHARS_MAX: usize = 128;
/// The longest idempotency key, in characters.
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 64;
/// The most keywords of an item or a search.
const KEYWORDS_MAX: usize = 5;
/// The longest keyword, in characters.
const KEYWORD_CHARS_MAX: usize = 8;
/// The most characters that become one in the form NFC. Text of so many times its maximum is not looked at any further.
const CHARS_PER_NFC_CHAR_MAX: usize = 4;

/// A name that is shown: of an account or an item. It need not be unique.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Name(pub(crate) String);

impl Value for Name {
    const RULE: &'static str = "a string of 1 to 32 characters with something to be seen, without control characters, \
                                and without white space at either end";

    fn decode(raw: &RawValue) -> Option<Self> {
        text(raw, NAME_CHARS_MAX).filter(|text| is_name(text)).map(Cow::into_owned).map(Self)
    }
}

/// The user name of an account that is to be. Others must be able to tell it from theirs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Username(pub(crate) String);

impl Value for Username {
    const RULE: &'static str = "a string of 1 to 32 characters with something to be seen, without control or invisible \
                                characters, and without white space at either end";

    fn decode(raw: &RawValue) -> Option<Self> {
        Name::decode(raw).and_then(Self::from_name)
    }
}

impl Username {
    /// The name as a user name, if it has no invisible characters.
    pub(crate) fn from_name(Name(name): Name) -> Option<Self> {
        (!name.contains(is_ignorable)).then_some(Self(name))
    }
}

/// The user name of an account that may be there. It may be any that an account was ever opened with.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KnownUsername(pub(crate) String);

impl Value for KnownUsername {
    const RULE: &'static str = "a string of 1 to 32 characters without control characters";

    fn decode(raw: &RawValue) -> Option<Self> {
        text(raw, NAME_CHARS_MAX)
            .filter(|text| !text.contains(char::is_control))
            .map(Cow::into_owned)
            .map(Self)
    }
}

/// A password. It has no `Debug`, so that it reaches no log.
#[derive(Clone, Serialize)]
pub(crate) struct Password(pub(crate) String);

impl Value for Password {
    const RULE: &'static str = "a string of 1 to 128 characters";

    fn decode(raw: &RawValue) -> Option<Self> {
        text(raw, PASSWORD_CHARS_MAX).map(Cow::into_owned).map(Self)
    }
}

/// What a client calls a purchase of its own, so that the purchase is made once however often it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct IdempotencyKey(pub(crate) String);

impl Value for IdempotencyKey {
    const RULE: &'static str = "a string of 1 to 64 characters";

    fn decode(raw: &RawValue) -> Option<Self> {
        text(raw, IDEMPOTENCY_KEY_CHARS_MAX).map(Cow::into_owned).map(Self)
    }
}

/// The keywords of an item or a search.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Keywords(pub(crate) Vec<String>);

impl Value for Keywords {
    const RULE: &'static str = "an array of at most 5 strings, each of 1 to 8 characters with something to be seen, \
                                without control characters, and without white space at either end";

    fn decode(raw: &RawValue) -> Option<Self> {
        let keywords: Vec<String> = serde_json::from_str(raw.get()).ok()?;
        if keywords.len() > KEYWORDS_MAX {
            return None;
        }
        let keyword = |text: String| bounded(text.into(), KEYWORD_CHARS_MAX).filter(|text| is_name(text));
        let keywords = keywords.into_iter().map(|text| keyword(text).map(Cow::into_owned));
        keywords.collect::<Option<_>>().map(Self)
    }
}

/// The text of a JSON string, borrowed where it holds no escape; `None` if it is no string, or holds a lone
/// surrogate.
pub(crate) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(raw.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// A string of 1 to `chars_max` characters in the form NFC.
pub(crate) fn text(raw: &RawValue, chars_max: usize) -> Option<Cow<'_, str>> {
    string(raw).and_then(|text| bounded(text, chars_max))
}

/// The text in the form NFC, if it has 1 to `chars_max` characters then.
fn bounded(text: Cow<'_, str>, chars_max: usize) -> Option<Cow<'_, str>> {
    if text.is_ascii() {
        return (1..=chars_max).contains(&text.len()).then_some(text);
    }
    let is_within = |text: &str, max| text.chars().nth(max).is_none();
    let text = Some(text).filter(|text| is_within(text, CHARS_PER_NFC_CHAR_MAX * chars_max));
    text.map(nfc).filter(|text| is_within(text, chars_max))
}

/// Whether text is fit to be a name or a keyword. What is not drawn hides no white space at the ends.
fn is_name(text: &str) -> bool {
    if text.is_ascii() {
        return !text.bytes().any(|byte| byte.is_ascii_control())
            && !text.starts_with(' ')
            && !text.ends_with(' ');
    }
    let drawn = text.trim_matches(is_ignorable);
    drawn.contains(is_seen)
        && !drawn.starts_with(is_blank)
        && !drawn.ends_with(is_blank)
        && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests;
