//! Which part may import which: what ARCHITECTURE.md says of it, as a table.

use crate::imports::Graph;
use crate::source::{is_in, modules};

/// What the modules that begin like this import of the workspace begins like one of these. The first line that fits a
/// module counts.
const LAYERS: &[(&str, &[&str])] = &[
    ("net::event", &["net::time"]),
    ("net::time", &[]),
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
    ("support", &["support"]),
    ("marketplace", &["net", "services", "bench", "marketplace"]),
];

#[test]
fn imports_run_one_way() {
    let wrong = wrong_ways(&Graph::of(&modules()));
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
}
