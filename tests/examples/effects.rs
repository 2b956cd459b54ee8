//! The tables of the clients are those of the services.

use std::collections::BTreeSet;
use std::process::Output;

use services::{Effect, effect};

use crate::language::{Language, python, root};
use crate::shop::effect::{REPEATABLE, REPEATABLE_ALONE};

/// What a frontend says of an API, if one has it.
fn of_frontends(api: &str) -> Option<Effect> {
    ["server_buyer", "server_seller"].into_iter().find_map(|frontend| effect(frontend, api))
}

/// The names that stand in the first column of the frontends' tables.
fn documented() -> BTreeSet<String> {
    let reference = std::fs::read_to_string(root().join("services/README.md")).unwrap();
    let (_, tables) = reference.split_once("\n## Accounts and sessions\n").expect("they begin here");
    let (tables, _) = tables.split_once("\n## The databases\n").expect("they end here");
    let names = tables.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    names.map(str::to_owned).collect()
}

#[test]
fn what_clients_repeat_is_what_services_say_may_be_repeated() {
    let apis = documented();
    assert!(apis.len() > 10, "{apis:?}");
    for api in &apis {
        let may_be = of_frontends(api).expect("what is documented is there") != Effect::Once;
        assert_eq!(REPEATABLE.contains(&&**api), may_be, "{api}");
    }
    for api in REPEATABLE_ALONE {
        assert_eq!(of_frontends(api), Some(Effect::Once), "{api}");
    }
}

#[test]
fn the_tables_are_the_same_in_python() {
    if Language::all().len() < 2 {
        return;
    }
    let shop = root().join("services/examples/shop/client.py");
    for (table, expected) in [("REPEATABLE", &REPEATABLE[..]), ("REPEATABLE_ALONE", &REPEATABLE_ALONE)] {
        let print = format!("import client; print(*sorted(client.{table}))");
        let Output { stdout, .. } = python("-c".as_ref()).arg(print).output().unwrap();
        let found = String::from_utf8(stdout).unwrap();
        assert_eq!(found.split_whitespace().collect::<Vec<_>>(), expected, "{}", shop.display());
    }
}
