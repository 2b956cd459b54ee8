//! What somebody may have meant who has mistyped a word.

use strsim::osa_distance;

/// Nobody means a name by so long a word, and comparing takes time that grows with it.
const LENGTH_MAX: usize = 40;

/// The one of `names` that `word` is likely to stand for: the only one that it begins, or else the closest one, from which
/// no more than a third of its letters differ.
pub(crate) fn closest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length == 0 || length > LENGTH_MAX {
        return None;
    }
    let word = word.to_lowercase();
    let names: Vec<&str> = names.into_iter().collect();
    let mut begun = names.iter().filter(|name| name.starts_with(&word));
    if let (Some(name), None) = (begun.next(), begun.next()) {
        return Some(name);
    }
    let distances = names.iter().map(|name| (osa_distance(&word, name), *name));
    let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
    let letters = length.max(name.chars().count());
    (distance <= (letters / 3).max(1) && distance < letters).then_some(name)
}

/// What to add to the words about an unknown name: `; did you mean "search"?`, or nothing.
pub(crate) fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    closest(word, names).map_or_else(String::new, |name| format!("; did you mean \"{name}\"?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 7] = ["add", "buy", "cart", "clear", "register", "rating", "search"];

    #[test]
    fn mistakes_are_guessed() {
        for (word, name) in [
            ("serach", "search"),
            ("SEARCH", "search"),
            ("searhc", "search"),
            ("reg", "register"),
            ("ad", "add"),
            ("crat", "cart"),
            ("raiting", "rating"),
        ] {
            assert_eq!(closest(word, NAMES), Some(name), "{word}");
        }
    }

    #[test]
    fn what_is_unlike_all_names_is_left_alone() {
        let long = "search".repeat(100);
        for word in ["", "x", "secret2", "c", "r", "checkout", "書", &long] {
            assert_eq!(closest(word, NAMES), None, "{word}");
        }
        assert_eq!(did_you_mean("x", NAMES), "");
        assert_eq!(did_you_mean("adn", NAMES), "; did you mean \"add\"?");
        assert_eq!(closest("add", []), None);
    }
}
