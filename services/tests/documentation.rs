//! What the documentation tells clients about calling again is what the services know of their APIs.

use services::{Effect, effect};

const DOCUMENTATION: &str = include_str!("../README.md");
const FRONTENDS: [&str; 2] = ["server_buyer", "server_seller"];

/// The names that stand in the first column of the frontends' tables.
fn documented_apis() -> Vec<&'static str> {
    let (_, tables) = DOCUMENTATION.split_once("\n## Accounts and sessions\n").expect("they begin here");
    let (tables, _) = tables.split_once("\n## The databases\n").expect("they end here");
    tables.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0)).collect()
}

/// The points of the section about calls whose outcome is not known.
fn points() -> Vec<&'static str> {
    let (_, section) =
        DOCUMENTATION.split_once("\n### When the outcome is not known\n").expect("it is there");
    section.split("\n#").next().into_iter().flat_map(|section| section.split("\n- ").skip(1)).collect()
}

#[test]
fn clients_are_told_of_each_api_whether_frontends_repeat_it() {
    let points = points();
    let apis = documented_apis();
    assert!(apis.len() > 10, "{apis:?}");
    for api in apis {
        // The first point that names an API is about it; a later one may name it as a place to look.
        let about = points.iter().position(|point| point.contains(&format!("`{api}`")));
        let about = about.unwrap_or_else(|| panic!("nothing is said of {api}"));
        let effects: Vec<Effect> = FRONTENDS.iter().filter_map(|frontend| effect(frontend, api)).collect();
        assert!(!effects.is_empty(), "there is no {api}");
        for effect in effects {
            assert_eq!(effect != Effect::Once, about == 0, "{api}: {effect:?}");
        }
    }
}
