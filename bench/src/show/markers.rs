//! Sections of a text that a program writes, between markers in a text that people write.

use std::ops::Range;

/// `text` with the lines between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` replaced by `content`. Each marker
/// stands on a line of its own; all else stays as it is, byte for byte.
pub(super) fn replace(text: &str, name: &str, content: &str) -> Result<String, String> {
    let section = find(text, name)?;
    Ok(format!("{}{content}{}", &text[..section.start], &text[section.end..]))
}

/// Where the content of a section is.
fn find(text: &str, name: &str) -> Result<Range<usize>, String> {
    let (opening, closing) = (format!("<!-- bench:{name} -->"), format!("<!-- /bench:{name} -->"));
    let opened = find_line(text, &opening)?;
    let closed = find_line(text, &closing)?;
    if closed.start < opened.end {
        return Err(format!("{closing} stands before {opening}"));
    }
    let section = opened.end..closed.start;
    // Its own closing marker is missing if another one's is found first, and what it would replace is not its own.
    if let Some(other) = text[section.clone()].lines().find(|line| is_marker(line)) {
        return Err(format!("{} stands between {opening} and {closing}", other.trim()));
    }
    Ok(section)
}

/// The only line that is this marker, with its end.
fn find_line(text: &str, marker: &str) -> Result<Range<usize>, String> {
    let mut start = 0;
    let mut found = None;
    for line in text.split_inclusive('\n') {
        let range = start..start + line.len();
        start = range.end;
        if line.trim() == marker && found.replace(range).is_some() {
            return Err(format!("{marker} is there twice"));
        }
    }
    found.ok_or_else(|| format!("there is no line {marker}"))
}

fn is_marker(line: &str) -> bool {
    let line = line.trim();
    (line.starts_with("<!-- bench:") || line.starts_with("<!-- /bench:")) && line.ends_with(" -->")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Before\r\n  <!-- bench:a -->\r\nold\nold\n<!-- /bench:a -->\nNamed in prose: <!-- bench:a -->\n\n<!-- bench:b -->\n<!-- /bench:b -->";

    #[test]
    fn only_the_section_is_replaced() {
        let replaced = replace(TEXT, "a", "new\n").expect("there is one");
        assert_eq!(replaced, TEXT.replace("old\nold\n", "new\n"));
        assert_eq!(replace(&replaced, "a", "new\n").as_deref(), Ok(replaced.as_str()));
        let replaced = replace(TEXT, "b", "new\n").expect("there is one");
        assert_eq!(replaced, TEXT.replace("<!-- /bench:b", "new\n<!-- /bench:b"));
    }

    #[test]
    fn markers_that_do_not_fit_together_are_refused() {
        let (open, close) = ("<!-- bench:a -->\n", "<!-- /bench:a -->\n");
        let refused = [
            (format!("x\n{close}"), "there is no line <!-- bench:a -->"),
            (format!("{open}x\n"), "there is no line <!-- /bench:a -->"),
            (format!("{open}{close}{open}"), "<!-- bench:a --> is there twice"),
            (format!("{open}{close}{close}"), "<!-- /bench:a --> is there twice"),
            (format!("{close}{open}"), "<!-- /bench:a --> stands before <!-- bench:a -->"),
            (
                format!("{open}<!-- bench:b -->\n{close}"),
                "<!-- bench:b --> stands between <!-- bench:a --> and <!-- /bench:a -->",
            ),
        ];
        for (text, error) in refused {
            assert_eq!(replace(&text, "a", "new"), Err(error.to_owned()));
        }
    }
}
