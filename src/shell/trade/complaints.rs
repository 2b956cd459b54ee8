//! [`Complaints`]: what is wrong with a table, as much of it as a person reads.

use crate::text::escape;

/// So many are told; of the rest, how many there are.
const TOLD_MAX: usize = 20;
/// So many characters of a value are repeated.
const QUOTED_CHARS_MAX: usize = 40;

/// Mistakes, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    told: Vec<String>,
    count: usize,
}

impl Complaints {
    /// One mistake that leaves nothing to go on with.
    pub(crate) fn one(message: impl Into<String>) -> Complaints {
        let mut complaints = Complaints::default();
        complaints.add(message);
        complaints
    }

    pub(crate) fn add(&mut self, message: impl Into<String>) {
        if self.told.len() < TOLD_MAX {
            self.told.push(message.into());
        }
        self.count += 1;
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// `Ok` if there are none.
    pub(crate) fn or<T>(self, good: T) -> Result<T, Complaints> {
        if self.count == 0 { Ok(good) } else { Err(self) }
    }

    /// A line for each that is told.
    pub(crate) fn text(&self) -> String {
        let mut text = self.told.join("\n");
        if self.count > self.told.len() {
            text.push_str(&format!("\n… and {} more", self.count - self.told.len()));
        }
        text
    }
}

/// A value from outside, shortened and escaped.
pub(crate) fn quoted(value: &str) -> String {
    let start: String = value.chars().take(QUOTED_CHARS_MAX).collect();
    let more = if value.chars().nth(QUOTED_CHARS_MAX).is_some() { "…" } else { "" };
    format!("\"{}{more}\"", escape(&start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_told_than_is_read() {
        let mut complaints = Complaints::default();
        (0..TOLD_MAX + 3).for_each(|n| complaints.add(format!("line {n}")));
        let text = complaints.text();
        assert_eq!(text.lines().count(), TOLD_MAX + 1);
        assert!(text.ends_with("\n… and 3 more"), "{text}");
        assert_eq!(complaints.count(), TOLD_MAX + 3);
    }

    #[test]
    fn values_are_shortened_and_harmless() {
        assert_eq!(quoted("a\u{1b}[2J"), "\"a\\u{1b}[2J\"");
        assert_eq!(quoted(&"x".repeat(1000)).chars().count(), QUOTED_CHARS_MAX + 3);
    }
}
