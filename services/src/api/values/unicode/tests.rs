use super::*;

/// All characters but for ideographs that fold to themselves, and planes that have no characters yet.
fn all_chars() -> impl Iterator<Item = char> {
    ('\0'..'\u{20000}').chain('\u{2f800}'..'\u{30000}').chain('\u{e0000}'..'\u{e2000}')
}

#[test]
fn what_is_alike_folds_alike() {
    for (a, b) in [
        ("STRASSE", "Straße"),
        ("STRAẞE", "strasse"),
        ("ΣΟΦΟΣ", "σοφος"),
        ("σοφος", "σοφοσ"),
        ("fin", "\u{fb01}n"),
        ("10μF", "10µF"),
        ("ＡＢＣ１", "abc1"),
        ("ｶﾞ", "ガ"),
        ("Zoe\u{301}", "zoé"),
        ("\u{212b}", "å"),
        ("Ⅷ", "viii"),
        ("co\u{ad}op", "co\u{200d}op"),
        ("각", "\u{1100}\u{1161}\u{11a8}"),
        ("a\u{34f}\u{301}\u{323}", "ạ\u{301}"),
        ("ᾳ", "ΑΙ"),
    ] {
        assert_eq!(folded(a), folded(b), "{a} {b}");
    }
    assert_ne!(folded("zoe"), folded("zoé"), "marks make a difference");
}

#[test]
fn the_letters_i_of_turkish_are_one() {
    for i in ["i", "I", "İ", "ı", "i\u{307}", "I\u{307}"] {
        assert_eq!(folded(&format!("{i}ris")), "iris", "{i}");
    }
    // Marks below come first in decomposed text.
    assert_eq!(folded("İ\u{323}"), folded("i\u{323}"));
    assert_eq!(folded("j\u{307}"), "j\u{307}");
}

#[test]
fn folding_twice_is_folding_once() {
    for c in all_chars() {
        let once = folded(c.encode_utf8(&mut [0; 4])).into_owned();
        assert_eq!(folded(&once), once, "{c:?}");
        assert!(!is_seen(c) || !once.is_empty(), "{c:?} is seen and folds to nothing");
    }
    // Characters that act on their neighbours, side by side.
    let chars: Vec<char> =
        "iIİıjsSßςΣ\u{345}\u{307}\u{323}\u{301}\u{34f}\u{200d}\u{fb03}\u{fdfa}㎏ｶﾞ각\u{1100}\u{1161}"
            .chars()
            .collect();
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..5000 {
        let text: String = (0..5).map(|_| chars[rng.usize(..chars.len())]).collect();
        let once = folded(&text).into_owned();
        assert_eq!(folded(&once), once, "{text:?}");
        assert_eq!(folded(&nfc(text.as_str().into())), once, "{text:?}");
    }
}

#[test]
fn folding_is_that_of_unicode_but_for_one_letter() {
    let folding = |c: char| caseless::default_case_fold_str(c.encode_utf8(&mut [0; 4]));
    let differs = |c: &char| folded(&folding(*c)) != folded(c.encode_utf8(&mut [0; 4]));
    assert_eq!(all_chars().filter(differs).collect::<String>(), "");
    let alike = |a: char, b: char| folding(a) == folding(b);
    assert!(!alike('ı', 'i') && folded("ı") == "i");
}

#[test]
fn the_ignorable_characters_are_those_of_unicode() {
    let class = regex_syntax::parse(r"\p{Default_Ignorable_Code_Point}").expect("a class");
    let regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class)) = class.kind() else {
        panic!("it is a class of characters");
    };
    let is_in_class = |c| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&c));
    for c in all_chars() {
        assert_eq!(is_ignorable(c), is_in_class(c), "{c:?}");
    }
}

#[test]
fn nothing_is_seen_of_what_is_blank() {
    for c in " \u{a0}\u{2003}\u{3000}\u{2028}\u{200b}\u{feff}\u{3164}\u{ffa0}\u{2800}\u{e0041}\u{301}\u{fe0f}\u{ad}".chars() {
        assert!(!is_seen(c), "{c:?}");
    }
    assert!("a!é字ﾊ🦀\u{5d0}".chars().all(is_seen));
}

#[test]
fn text_is_brought_to_nfc_and_stays() {
    assert_eq!(nfc("Zoe\u{301}".into()), "Zoé");
    assert_eq!(nfc("\u{fb01}".into()), "\u{fb01}", "compatibility forms stay");
    assert!(matches!(nfc("Zoé".into()), Cow::Borrowed(_)));
    assert_eq!(other_nfd("Zoé").as_deref(), Some("Zoe\u{301}"));
    assert!(other_nfd("Zoe").is_none() && other_nfd("字").is_none());
}
