//! Which part may import which: what ARCHITECTURE.md says of it, as a table.

use crate::imports::Graph;
use crate::source::{is_in, modules};

/// What the modules that begin like this import of the workspace begins like one of these. The first line that fits a
/// module counts.
const LAYERS: &[(&str, &[&str])] = &[
    ("net", &["net"]),
    ("services::api", &["net::event", "net::time", "services::api"]),
    ("services::engine", &["net", "services::api", "services::engine"]),
    ("services::customer", &["net", "services::api", "services::engine", "services::customer"]),
    ("services::product", &["net", "services::api", "services::engine", "services::product"]),
    ("services::frontend", &["services::api", "services::engine", "services::frontend"]),
    (
        "services::store",
        &[
            "net",
            "services::api",
            "services::engine",
            "services::customer",
            "services::product",
            "services::store",
        ],
    ),
    ("services", &["net", "services"]),
    ("bench", &["net", "bench"]),
    ("fake_postgres", &["fake_postgres"]),
    ("simulation", &["net", "services", "fake_postgres", "simulation"]),
    ("support", &["support"]),
    ("marketplace", &["net", "services", "bench", "marketplace"]),
];

/// The modules of `net`, from the top to the bottom: besides what is inside it, each imports only what stands below it,
/// and nothing that stands beside it.
const NET: &[&[&str]] = &[
    &["net::reactor", "net::sim"],
    &["net::node"],
    &["net::service"],
    &["net::connections"],
    &["net::admin", "net::connection", "net::link", "net::stream"],
    &["net::channel", "net::dialer", "net::places", "net::target"],
    &["net::tls"],
    &["net::buffers", "net::handshakes", "net::io", "net::metrics", "net::slots", "net::timers"],
    &["net::detect", "net::event", "net::limits", "net::lines", "net::outbox", "net::time", "net::worker"],
];

#[test]
fn imports_run_one_way() {
    let wrong = wrong_ways(&Graph::of(&modules()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_inside_net_run_downwards() {
    let wrong = wrong_floors(&Graph::of(&modules()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let circles = Graph::of(&modules()).circles();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

fn wrong_ways(graph: &Graph) -> Vec<String> {
    let mut wrong = Vec::new();
    for (from, targets) in &graph.imports {
        let (_, allowed) = LAYERS
            .iter()
            .find(|(layer, _)| is_in(from, layer))
            .unwrap_or_else(|| panic!("{from} has no layer"));
        let up = targets.iter().filter(|to| !allowed.iter().any(|layer| is_in(to, layer)));
        wrong.extend(up.map(|to| format!("{from} imports {to}")));
    }
    wrong
}

/// The imports inside `net` that do not lead downwards. Its root, which passes names on, stands above all.
fn wrong_floors(graph: &Graph) -> Vec<String> {
    let mut wrong = Vec::new();
    for (from, targets) in graph.imports.iter().filter(|(from, _)| is_in(from, "net") && *from != "net") {
        let (floor, house) = floor(from);
        let up =
            targets.iter().filter(|to| !is_in(to, house) && (*to == "net" || self::floor(to).0 <= floor));
        wrong.extend(up.map(|to| format!("{from} imports {to}")));
    }
    wrong
}

/// How far below the top a module of `net` stands, and which of those in the table it is or lies in.
fn floor(module: &str) -> (usize, &'static str) {
    let houses =
        NET.iter().enumerate().flat_map(|(floor, houses)| houses.iter().map(move |house| (floor, *house)));
    let mut fitting = houses.filter(|(_, house)| is_in(module, house));
    fitting.next().unwrap_or_else(|| panic!("{module} has no floor"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    #[test]
    fn an_import_of_what_lies_above_is_found() {
        let sources = [
            Source::made_up("services", "api::items", "use crate::engine::table::Table;"),
            Source::made_up("services", "engine::table", "use crate::api::items;"),
        ];
        assert_eq!(
            wrong_ways(&Graph::of(&sources)),
            ["services::api::items imports services::engine::table"]
        );
    }

    #[test]
    fn inside_net_an_import_of_what_lies_above_or_beside_is_found() {
        let sources = [
            Source::made_up("net", "admin", "mod http; use self::http::Head; use crate::channel::Channel;"),
            Source::made_up("net", "admin::http", "use super::Admin; use crate::link::Link;"),
            Source::made_up("net", "channel", "use crate::connections::Connections;"),
            Source::made_up("net", "connections", "use crate::{admin::Admin, link::Link};"),
            Source::made_up("net", "link", ""),
        ];
        assert_eq!(
            wrong_floors(&Graph::of(&sources)),
            ["net::admin::http imports net::link", "net::channel imports net::connections"]
        );
    }
}
