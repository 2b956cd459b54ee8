//! [`Graph`]: which module imports which. A name that a module passes on (`pub use`) counts as that of the module where
//! it is from.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, UseTree, Visibility};

use crate::source::{Source, is_for_tests, items};

/// The crates among which there are imports, besides each within itself.
const CRATES: [&str; 6] = ["net", "services", "bench", "fake_postgres", "simulation", "support"];

/// The imports between modules, each named from its crate on.
pub(crate) struct Graph {
    pub(crate) imports: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    pub(crate) fn of(sources: &[Source]) -> Graph {
        let modules: BTreeSet<String> = sources.iter().map(Source::name).collect();
        let passed_on = passed_on(sources, &modules);
        let mut imports = BTreeMap::new();
        for source in sources {
            let name = source.name();
            let targets =
                paths(source, &modules).into_iter().filter_map(|path| resolve(&path, &modules, &passed_on));
            let targets: BTreeSet<String> = targets.filter(|target| *target != name).collect();
            imports.insert(name, targets);
        }
        Graph { imports }
    }

    /// The modules that import each other, at any level of the house: of a folder's modules, each with all that is in
    /// it, those that lie on a circle. A module and what is inside it may import each other: they are one house.
    pub(crate) fn circles(&self) -> Vec<String> {
        let folders: BTreeSet<&str> = self.imports.keys().filter_map(|name| parent(name)).collect();
        folders.into_iter().filter_map(|folder| self.circle_in(folder)).collect()
    }

    fn circle_in(&self, folder: &str) -> Option<String> {
        let mut left: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, targets) in &self.imports {
            let Some(from) = child(folder, from) else { continue };
            let to = targets.iter().filter_map(|target| child(folder, target)).filter(|to| *to != from);
            left.entry(from.clone()).or_default().extend(to);
        }
        // What imports nothing that is left lies on no circle.
        while let Some(end) = left.iter().find(|(_, to)| to.is_empty()).map(|(from, _)| from.clone()) {
            left.remove(&end);
            left.values_mut().for_each(|to| _ = to.remove(&end));
        }
        // Nor does what nothing imports.
        while let Some(start) = left.keys().find(|from| !left.values().any(|to| to.contains(*from))).cloned()
        {
            left.remove(&start);
        }
        let names: Vec<_> = left.iter().map(|(from, to)| format!("{from} → {to:?}")).collect();
        (!names.is_empty()).then(|| format!("{folder}: {}", names.join(", ")))
    }
}

/// The module that a module lies in.
fn parent(name: &str) -> Option<&str> {
    name.rsplit_once("::").map(|(parent, _)| parent)
}

/// Of the modules directly in a folder, the one that is this one, or has it inside.
fn child(folder: &str, name: &str) -> Option<String> {
    let rest = name.strip_prefix(folder)?.strip_prefix("::")?;
    Some(rest.split("::").next().expect("a split has a first part").to_owned())
}

/// Where the names are from that modules pass on.
fn passed_on(sources: &[Source], modules: &BTreeSet<String>) -> BTreeMap<String, Vec<String>> {
    let mut passed_on = BTreeMap::new();
    for source in sources {
        for item in items(source) {
            if let syn::Item::Use(item) = item
                && !matches!(item.vis, Visibility::Inherited)
            {
                let mut paths = Vec::new();
                flatten(&item.tree, &mut Vec::new(), &mut paths);
                for (path, name) in paths {
                    let path = absolute(source, &path, modules);
                    passed_on.insert(format!("{}::{name}", source.name()), path);
                }
            }
        }
    }
    passed_on
}

/// All paths that a module names, as they are written.
pub(crate) fn written(source: &Source) -> Vec<Vec<String>> {
    let mut found = Paths(Vec::new());
    items(source).for_each(|item| found.visit_item(item));
    found.0
}

/// All paths that a module names, from their crates on.
fn paths(source: &Source, modules: &BTreeSet<String>) -> Vec<Vec<String>> {
    let paths = written(source).into_iter().map(|path| absolute(source, &path, modules));
    // `pub(crate)` names a crate, and imports nothing.
    paths.filter(|path| path.len() > 1).collect()
}

struct Paths(Vec<Vec<String>>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut paths = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut paths);
        self.0.extend(paths.into_iter().map(|(path, _)| path));
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    /// What a macro is given need not be Rust, so paths are known by their colons alone.
    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.add_in(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}

impl Paths {
    fn add_in(&mut self, tokens: TokenStream) {
        let (mut path, mut colons) = (Vec::new(), 0);
        for tree in tokens {
            match tree {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.0.push(mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                other => {
                    self.0.push(mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.add_in(group.stream());
                    }
                }
            }
        }
        self.0.push(path);
    }
}

/// The paths of an import, each with the name under which it is known then.
fn flatten(tree: &UseTree, before: &mut Vec<String>, paths: &mut Vec<(Vec<String>, String)>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, paths);
            before.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            paths.push((before.clone(), before.last().cloned().unwrap_or_default()));
        }
        UseTree::Name(name) => {
            paths.push(([&before[..], &[name.ident.to_string()]].concat(), name.ident.to_string()));
        }
        UseTree::Rename(rename) => {
            paths.push(([&before[..], &[rename.ident.to_string()]].concat(), rename.rename.to_string()));
        }
        UseTree::Glob(_) => paths.push((before.clone(), "*".into())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, paths)),
    }
}

/// A path of a module, from its crate on; empty if it leads out of the workspace or is a name in the module itself.
fn absolute(source: &Source, path: &[String], modules: &BTreeSet<String>) -> Vec<String> {
    let krate = [source.krate.to_owned()];
    let mut module = source.module.clone();
    match path.first().map(String::as_str) {
        Some("crate") => [&krate[..], &path[1..]].concat(),
        Some("self") => [&krate[..], &module, &path[1..]].concat(),
        Some("super") => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            module.truncate(module.len().saturating_sub(ups));
            [&krate[..], &module, &path[ups..]].concat()
        }
        Some(name) if modules.contains(&format!("{}::{name}", source.name())) => {
            [&krate[..], &module, path].concat()
        }
        Some(name) if CRATES.contains(&name) && source.krate != name => path.to_vec(),
        _ => Vec::new(),
    }
}

/// The module that a path leads into.
fn resolve(
    path: &[String],
    modules: &BTreeSet<String>,
    passed_on: &BTreeMap<String, Vec<String>>,
) -> Option<String> {
    // No name is passed on more often than there are levels.
    let mut path = path.to_vec();
    for _ in 0..8 {
        let from = (1..=path.len()).rev().find_map(|end| {
            let target = passed_on.get(&path[..end].join("::"))?;
            Some([&target[..], &path[end..]].concat())
        });
        match from {
            Some(next) if !next.is_empty() => path = next,
            _ => break,
        }
    }
    (1..=path.len()).rev().map(|end| path[..end].join("::")).find(|name| modules.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(sources: &[(&str, &str)]) -> Graph {
        let sources: Vec<Source> =
            sources.iter().map(|(module, text)| Source::made_up("net", module, text)).collect();
        Graph::of(&sources)
    }

    #[test]
    fn a_name_that_is_passed_on_is_that_of_the_module_where_it_is_from() {
        let graph = graph(&[
            ("", "mod a; mod b; pub use a::{T, inner::U as V}; pub use a::T as W;"),
            ("a", "mod inner; pub struct T;"),
            ("a::inner", "pub struct U;"),
            ("b", "use crate::W; fn f() -> crate::a::inner::U { todo!() }"),
        ]);
        assert_eq!(graph.imports["net::b"], BTreeSet::from(["net::a".into(), "net::a::inner".into()]));
    }

    #[test]
    fn a_circle_is_found_at_each_level_and_through_names_that_are_passed_on() {
        let both = graph(&[
            ("", "pub use self::b::B;"),
            ("a", "use crate::B; pub struct A;"),
            ("b", "pub mod c;"),
            ("b::c", "use crate::a::A;"),
        ]);
        assert_eq!(both.circles().len(), 1, "{:?}", both.circles());
        let one_way =
            graph(&[("a", "use crate::b::c::C;"), ("b", "use self::c::C;"), ("b::c", "use super::B;")]);
        assert_eq!(one_way.circles(), [""; 0]);
    }

    #[test]
    fn what_a_macro_is_given_counts() {
        let graph =
            graph(&[("a", "fn f() { assert!(matches!(g(), x: crate::b::B(1)), \"{}\", 1); }"), ("b", "")]);
        assert_eq!(graph.imports["net::a"], BTreeSet::from(["net::b".into()]));
    }

    #[test]
    fn what_only_tests_import_does_not_count() {
        let graph =
            graph(&[("a", "use crate::b::B; #[cfg(test)] mod t { use crate::c; }"), ("b", ""), ("c", "")]);
        assert_eq!(graph.imports["net::a"], BTreeSet::from(["net::b".into()]));
    }
}
