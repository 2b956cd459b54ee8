//! What parts of the house must not know: names that may stand only in some folders.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;

use crate::imports::written;
use crate::source::{Source, is_in, items, modules};

/// Where these names may stand: in the modules of a crate that begin like one of those.
struct Rule {
    krate: &'static str,
    names: &'static [&'static str],
    homes: &'static [&'static str],
}

const RULES: &[Rule] = &[
    // Clocks and sockets are the reactor's, chance is the simulator's, and threads are the worker's.
    Rule {
        krate: "net",
        names: &["Instant", "SystemTime", "mio", "socket2", "rustix", "TcpListener"],
        homes: &["reactor"],
    },
    // A stream for those who block has the socket that it is given.
    Rule { krate: "net", names: &["TcpStream"], homes: &["reactor", "tls::stream"] },
    // Frontends that look up the same name at the same time begin with other ones of its addresses.
    Rule { krate: "net", names: &["fastrand"], homes: &["reactor::lookups", "sim"] },
    Rule { krate: "net", names: &["std::thread"], homes: &["worker"] },
    // The simulator has addresses, and no sockets.
    Rule { krate: "net", names: &["std::net"], homes: &["reactor", "sim", "tls::stream"] },
    Rule { krate: "net", names: &["rustls"], homes: &["tls"] },
    // A system without a thread to give says so by an error of this kind, which the simulator's workers name too.
    Rule { krate: "net", names: &["std::io"], homes: &["outbox", "reactor", "sim::worker", "tls", "worker"] },
    Rule { krate: "net", names: &["std::fs"], homes: &[] },
    Rule {
        krate: "services",
        names: &[
            "Instant",
            "SystemTime",
            "TcpStream",
            "TcpListener",
            "thread",
            "mio",
            "getrandom",
            "fastrand",
        ],
        homes: &[],
    },
    Rule { krate: "services", names: &["std::fs", "rusqlite"], homes: &["store::sqlite"] },
    // The library has the words of PostgreSQL's protocol, and nothing that speaks it.
    Rule {
        krate: "services",
        names: &["postgres_protocol", "fallible_iterator"],
        homes: &["store::postgres::wire"],
    },
    // The stores have columns of JSON; they are their own.
    Rule {
        krate: "services",
        names: &["serde_json", "RawValue"],
        homes: &["api", "engine", "store::sqlite", "store::postgres::json"],
    },
    // What comes of a password is one of two replies of the contract, so `customer` says how it is written.
    Rule {
        krate: "services",
        names: &["serde", "Serialize", "Deserialize"],
        homes: &["api", "engine", "store::sqlite", "store::postgres::json", "customer"],
    },
    // Rules see requests that are read, and flows the envelope of what they were answered.
    Rule {
        krate: "services",
        names: &["Fields"],
        homes: &["api", "engine", "store::postgres::domain", "store::postgres::remote"],
    },
    Rule {
        krate: "services",
        names: &["envelope"],
        homes: &["api", "engine", "frontend", "store::postgres::remote"],
    },
    // The fake engine is told of time, disks and sockets, as services are; its chance comes from a seed.
    Rule {
        krate: "fake_postgres",
        names: &["Instant", "SystemTime", "std::fs", "std::io", "std::net", "std::thread", "std::env"],
        homes: &[],
    },
    Rule { krate: "fake_postgres", names: &["fastrand"], homes: &["core", "faults"] },
    Rule { krate: "fake_postgres", names: &["sqlparser"], homes: &["sql::parse"] },
    // Errors go up: the program ends where its main function is.
    Rule { krate: "net", names: &["exit", "abort"], homes: &[] },
    Rule { krate: "services", names: &["exit", "abort"], homes: &[] },
    Rule { krate: "bench", names: &["exit", "abort"], homes: &[] },
    Rule { krate: "fake_postgres", names: &["exit", "abort"], homes: &[] },
];

/// How statements of SQL begin.
const SQL: [&str; 9] =
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "ALTER ", "PRAGMA ", "BEGIN ", "WITH "];

#[test]
fn each_part_knows_only_what_it_may() {
    let modules = modules();
    let wrong: Vec<String> = RULES.iter().flat_map(|rule| rule.broken(&modules)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sql_stands_only_in_the_stores() {
    // The suites make databases for the one, and the simulation looks at the tables of the other. An engine says which
    // statement it has carried out by the word with which that begins.
    let others = ["support::store", "simulation::engine::truth", "fake_postgres::connection::execution"];
    let stores = [&["services::store::sqlite", "services::store::postgres"][..], &others].concat();
    let modules = modules();
    let wrong: Vec<String> = modules
        .iter()
        .filter(|source| !stores.iter().any(|store| is_in(&source.name(), store)))
        .filter(|source| strings(source).iter().any(|text| is_sql(text)))
        .map(Source::name)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn nothing_is_unsafe() {
    let wrong: Vec<String> = modules()
        .iter()
        .filter(|source| idents(source).iter().any(|name| name == "unsafe"))
        .map(Source::name)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

impl Rule {
    fn broken(&self, modules: &[Source]) -> Vec<String> {
        let concerned = modules.iter().filter(|source| source.krate == self.krate && !self.is_home(source));
        concerned
            .filter_map(|source| {
                let found = named(source).into_iter().find(|name| self.names.contains(&&**name))?;
                Some(format!("{} names {found}", source.name()))
            })
            .collect()
    }

    fn is_home(&self, source: &Source) -> bool {
        let module = source.module.join("::");
        self.homes.iter().any(|home| is_in(&module, home))
    }
}

pub(crate) fn is_sql(text: &str) -> bool {
    let text = text.trim_start();
    SQL.iter().any(|start| text.starts_with(start))
}

/// The identifiers of a file that are not for tests only.
fn idents(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |tree: &TokenTree| {
        if let TokenTree::Ident(ident) = tree {
            found.push(ident.to_string());
        }
    };
    items(source).for_each(|item| walk(item.to_token_stream(), &mut add));
    found
}

/// The identifiers of a file, and the beginnings of its paths, as `std::io`.
fn named(source: &Source) -> Vec<String> {
    let paths = written(source).into_iter().filter(|path| path.len() > 1).map(|path| path[..2].join("::"));
    idents(source).into_iter().chain(paths).collect()
}

/// The texts of a file's strings.
pub(crate) fn strings(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |tree: &TokenTree| {
        if let TokenTree::Literal(literal) = tree
            && let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
        {
            found.push(text.value());
        }
    };
    items(source).for_each(|item| walk(item.to_token_stream(), &mut add));
    found
}

fn walk(tokens: TokenStream, visit: &mut impl FnMut(&TokenTree)) {
    for tree in tokens {
        visit(&tree);
        if let TokenTree::Group(group) = tree {
            walk(group.stream(), visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_outside_its_home_and_not_in_comments_or_tests() {
        let rule = &Rule { krate: "net", names: &["Instant"], homes: &["reactor"] };
        let broken = |module: &str, text: &str| rule.broken(&[Source::made_up("net", module, text)]).len();
        assert_eq!(broken("node", "fn f() { vec![std::time::Instant::now()]; }"), 1);
        assert_eq!(broken("reactor::clock", "use std::time::Instant;"), 0);
        assert_eq!(broken("reactors", "use std::time::Instant;"), 1);
        assert_eq!(broken("node", "/// No Instant.\n#[cfg(test)] mod tests { use std::time::Instant; }"), 0);
    }

    #[test]
    fn a_statement_is_known_by_how_it_begins() {
        let source = Source::made_up(
            "net",
            "a",
            "const A: &str = \"\n    SELECT 1\"; const B: &str = \"Selected\"; const C: T = T::kept(\"d\", \"WITH e AS (SELECT 1)\");",
        );
        assert_eq!(strings(&source).iter().filter(|text| is_sql(text)).count(), 2);
    }
}
