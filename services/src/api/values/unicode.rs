//! What makes texts alike: the form NFC in which they are kept, the form in which a search compares them, and which
//! characters nobody sees. It does not say what a name or a keyword may be.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Brings text to the form NFC. Most is, and costs no allocation.
pub(crate) fn nfc(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(&text) { text } else { Cow::Owned(text.nfc().collect()) }
}

/// The text in the form NFD, if that is another: how it may have been typed before all text was brought to NFC.
pub(crate) fn other_nfd(text: &str) -> Option<String> {
    let decomposed = || text.nfd().collect::<String>();
    (!text.is_ascii()).then(decomposed).filter(|nfd| nfd != text)
}

/// Brings text to the form in which a search compares it: compatibility forms are resolved, case is folded, and what
/// nobody sees is gone. Folding it again changes nothing.
pub(crate) fn folded(text: &str) -> Cow<'_, str> {
    // Most words are plain already, and cost no allocation at the load of a whole catalogue.
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    let visible = text.nfkd().filter(|&c| !is_ignorable(c));
    Cow::Owned(without_dots_of_i(visible.flat_map(fold).nfkd()).collect())
}

/// Whether a character has something to be seen by itself. A mark has not: it is drawn onto another character.
pub(crate) fn is_seen(c: char) -> bool {
    !(is_blank(c) || is_ignorable(c) || is_combining_mark(c))
}

/// White space, and other characters that show nothing but room, or not even that.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace()
        // The empty Braille pattern, the note without a head, and what stands around annotations.
        || matches!(c, '\u{2800}' | '\u{1d159}' | '\u{fff9}'..='\u{fffb}')
}

/// Unicode's `Default_Ignorable_Code_Point`: what is not drawn where it has no effect. The standard keeps whole ranges
/// for characters to come, so the list does not grow.
pub(crate) fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character is no part of a word at its ends. A mark is part of the letter before it.
pub(crate) fn is_punctuation(c: char) -> bool {
    !(c.is_alphanumeric() || is_combining_mark(c))
}

/// Folds the case of a character: what has the same capitals is the same. Unlike Unicode's own folding, this makes one
/// letter of `i` and the `ı` without a dot, whose capital is `I` as well.
fn fold(c: char) -> impl Iterator<Item = char> {
    // The capital of 'ẞ' is itself; only its small letter has the capitals "SS".
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// Leaves out dots above an `i`, which has one: it is how 'İ' gets its small letter. The text is decomposed.
fn without_dots_of_i(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let mut on_i = false;
    text.filter(move |&c| {
        on_i = if is_combining_mark(c) { on_i } else { c == 'i' };
        !(on_i && c == '\u{307}')
    })
}

#[cfg(test)]
mod tests;
