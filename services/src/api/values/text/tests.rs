use super::*;
use crate::api::values::tests::decode;

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("text")
}

fn name(text: &str) -> Option<String> {
    decode::<Name>(&json(text)).map(|Name(name)| name)
}

fn is_username(text: &str) -> bool {
    decode::<Username>(&json(text)).is_some()
}

#[test]
fn lengths_are_counted_in_characters_of_the_form_nfc() {
    let fits = |text: &str| name(text).is_some();
    assert!(fits("a") && fits(&"é".repeat(32)) && fits("🦀") && fits("Intro to \"DS\""));
    assert!(!fits("") && !fits(&"a".repeat(33)) && !fits(&"é".repeat(33)));
    // 33 to 128 characters that become 32, and 33.
    let decomposed = "e\u{301}".repeat(32);
    assert_eq!(name(&decomposed), Some("é".repeat(32)));
    assert_eq!(name(&format!("{}e\u{301}", "a".repeat(31))), Some(format!("{}é", "a".repeat(31))));
    assert_eq!(name(&"\u{3b1}\u{313}\u{300}\u{345}".repeat(32)), Some("\u{1f82}".repeat(32)));
    assert!(!fits(&format!("{decomposed}a")));
    // 17 characters that become 34.
    assert!(fits(&"\u{958}".repeat(16)) && !fits(&"\u{958}".repeat(17)));
    assert!(decode::<Name>(r#""\ud800""#).is_none(), "a lone surrogate is no character");
    assert!(decode::<Name>(r#""\ud83e\udd80""#).is_some());
    assert!(decode::<Name>("1").is_none());
}

#[test]
fn four_characters_at_most_become_one() {
    use unicode_normalization::UnicodeNormalization;
    let longest = ('\0'..=char::MAX).map(|c| c.nfd().count()).max();
    assert_eq!(longest, Some(CHARS_PER_NFC_CHAR_MAX));
}

#[test]
fn a_name_has_something_to_be_seen_and_no_ends_of_white_space() {
    for text in [
        "Ann",
        "Ann B",
        "字",
        "👩\u{200d}🚀",
        "\u{2764}\u{fe0f}",
        "می\u{200c}خواهم",
        "Zoé\u{200b}",
        "ab\u{a0}c",
        "!",
    ] {
        assert!(name(text).is_some(), "{text:?}");
    }
    for text in [
        " ",
        "\u{a0}",
        "\u{200b}",
        "\u{feff}",
        "\u{3164}",
        "\u{ffa0}",
        "\u{2800}",
        "\u{e0041}",
        "\u{ad}",
        "\u{301}",
        "\u{fe0f}",
        "\u{200d}\u{2060}",
        " \u{200b} ",
        "\u{115f}",
        "\u{180e}",
        "\u{1d159}",
    ] {
        assert!(name(text).is_none(), "{text:?} has nothing to be seen");
    }
    for space in [" ", "\u{a0}", "\u{2009}", "\u{3000}", "\u{2028}", "\u{200b} ", " \u{200b}", "\u{2800}"] {
        assert!(name(&format!("{space}Ann")).is_none(), "{space:?}");
        assert!(name(&format!("Ann{space}")).is_none() || space == " \u{200b}", "{space:?}");
    }
    assert!(name("Ann \u{200b}").is_none());
    for control in ["\0", "\n", "\t", "\u{7f}", "\u{85}", "\u{9f}"] {
        assert!(name(&format!("a{control}é")).is_none() && name(&format!("a{control}b")).is_none());
    }
}

#[test]
fn a_user_name_has_no_invisible_characters() {
    assert!(is_username("Ann B") && is_username("Zoe\u{301}") && is_username("字"));
    for invisible in [
        "\u{200b}",
        "\u{200c}",
        "\u{200d}",
        "\u{ad}",
        "\u{feff}",
        "\u{202e}",
        "\u{2066}",
        "\u{fe0f}",
        "\u{3164}",
        "\u{e0041}",
        "\u{34f}",
    ] {
        assert!(name(&format!("a{invisible}b")).is_some(), "{invisible:?}");
        assert!(
            !is_username(&format!("a{invisible}b")) && !is_username(&format!("ab{invisible}")),
            "{invisible:?}"
        );
    }
    let known = |text: &str| decode::<KnownUsername>(&json(text)).map(|KnownUsername(name)| name);
    assert_eq!(known(" Zoe\u{301}\u{200b}").as_deref(), Some(" Zoé\u{200b}"), "it may be there from before");
    assert!(known("a\n").is_none() && known("").is_none());
}

#[test]
fn a_password_is_any_text() {
    let password = |text: &str| decode::<Password>(&json(text)).map(|Password(text)| text);
    assert_eq!(password("man\u{303}ana").as_deref(), Some("mañana"));
    assert_eq!(password(" \u{200b}\n").as_deref(), Some(" \u{200b}\n"));
    assert!(password(&"e\u{301}".repeat(128)).is_some() && password(&"e\u{301}".repeat(129)).is_none());
    assert!(password("").is_none());
}

#[test]
fn keywords_are_short_names() {
    let keywords = |json| decode::<Keywords>(json).map(|Keywords(keywords)| keywords);
    let taken = keywords(r#"["book","Bu\u0308cher89","a b"]"#).expect("they fit");
    assert_eq!(taken, ["book", "Bücher89", "a b"]);
    for json in [
        r#"["123456789"]"#,
        r#"[""]"#,
        r#"["1","2","3","4","5","6"]"#,
        r#""book""#,
        "[1]",
        r#"["a\n"]"#,
        r#"[" "]"#,
        r#"[" a"]"#,
        r#"["a\u00a0"]"#,
        r#"["\u200b"]"#,
    ] {
        assert!(keywords(json).is_none(), "{json}");
    }
}
