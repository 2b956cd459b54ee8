//! [`Source`]: a file of the workspace, read and parsed, and the module that it is.

use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Item};

/// The crates of the workspace by the folder of their sources.
const CRATES: [(&str, &str); 7] = [
    ("net", "net/src"),
    ("services", "services/src"),
    ("bench", "bench/src"),
    ("fake_postgres", "fake-postgres/src"),
    ("simulation", "simulation/src"),
    ("marketplace", "src"),
    ("support", "tests/support/src"),
];
/// Where the tests and examples are that are no modules of a crate.
const TESTS: [&str; 5] = ["tests", "net/tests", "services/examples", "services/tests", "simulation/tests"];

/// A file.
pub(crate) struct Source {
    /// Of the crate that it is a module of.
    pub(crate) krate: &'static str,
    /// The names of the modules that lead to it; the root of a crate has none.
    pub(crate) module: Vec<String>,
    /// From the root of the workspace.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) syntax: syn::File,
}

impl Source {
    /// A module of made-up text.
    #[cfg(test)]
    pub(crate) fn made_up(krate: &'static str, module: &str, text: &str) -> Source {
        let module: Vec<String> =
            module.split("::").filter(|name| !name.is_empty()).map(String::from).collect();
        let path = format!("{krate}/{}.rs", module.join("/"));
        Source { krate, module, path, text: text.into(), syntax: syn::parse_file(text).expect("valid") }
    }

    /// Its name, from its crate on.
    pub(crate) fn name(&self) -> String {
        [&[self.krate.to_owned()], &self.module[..]].concat().join("::")
    }
}

/// The modules of all crates that are not tests.
pub(crate) fn modules() -> Vec<Source> {
    let sources: Vec<Source> = CRATES
        .into_iter()
        .flat_map(|(krate, folder)| {
            let files = files(&root().join(folder));
            files.into_iter().map(move |path| (krate, folder, path))
        })
        .filter(|(_, _, path)| !is_test(path))
        .map(|(krate, folder, path)| read(krate, folder, &path))
        .collect();
    assert!(sources.len() > 150, "only {} modules were found", sources.len());
    sources
}

/// All files, those of tests too.
pub(crate) fn everything() -> Vec<Source> {
    let folders = CRATES.into_iter().chain(TESTS.map(|folder| ("tests", folder)));
    let mut sources: Vec<Source> = Vec::new();
    for (krate, folder) in folders {
        for path in files(&root().join(folder)) {
            let source = read(krate, folder, &path);
            if sources.iter().all(|other| other.path != source.path) {
                sources.push(source);
            }
        }
    }
    sources
}

/// Whether a module is this one, or lies in it.
pub(crate) fn is_in(module: &str, house: &str) -> bool {
    module.strip_prefix(house).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether something is there for tests only.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test"))
    })
}

/// The items of a file that are not for tests only.
pub(crate) fn items(source: &Source) -> impl Iterator<Item = &Item> {
    source.syntax.items.iter().filter(|item| !is_for_tests(attributes(item)))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the sources lie beside the tests") {
        let path = entry.expect("it can be listed").path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
            false => {}
        }
    }
    files.sort();
    files
}

/// A module of tests lies in a file or a folder of this name.
fn is_test(path: &Path) -> bool {
    path.iter().any(|part| part == "tests.rs" || part == "forge.rs")
        || path
            .strip_prefix(root())
            .is_ok_and(|path| path.iter().any(|part| part == "tests") && !path.starts_with("tests/support"))
}

fn read(krate: &'static str, folder: &str, path: &Path) -> Source {
    let text = fs::read_to_string(path).expect("it can be read");
    let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let inside = path.strip_prefix(root().join(folder)).expect("it was found there").with_extension("");
    let mut module: Vec<String> = inside.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|name| matches!(&**name, "lib" | "main" | "mod")) {
        module.pop();
    }
    let path = path.strip_prefix(root()).expect("it was found there").to_string_lossy().into_owned();
    Source { krate, module, path, text, syntax }
}
