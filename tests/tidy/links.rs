//! Links of the documents: each that leads to a file of the house finds it, and the place in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::source::root;

/// Folders that hold nothing of the house's, below its root.
const FOREIGN: [&str; 4] = ["target", "data", "fuzz/corpus", "fuzz/artifacts"];

#[test]
fn links_lead_to_files_and_places_that_are_there() {
    let documents = documents();
    assert!(documents.len() > 8, "the documents were not found: {documents:?}");
    let wrong: Vec<String> = documents.iter().flat_map(|path| broken(path)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All documents, wherever they are.
fn documents() -> Vec<PathBuf> {
    let mut folders = vec![root()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            let inside = path.strip_prefix(root()).expect("it was found there");
            let is_foreign = FOREIGN.iter().any(|foreign| inside == Path::new(foreign));
            let is_hidden = inside.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if path.is_dir() && !is_foreign && !is_hidden {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The links of a document that lead nowhere.
fn broken(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).expect("it can be read");
    let folder = document.parent().expect("it lies in a folder");
    let targets = targets(&text).into_iter().filter(|target| !is_elsewhere(target));
    let wrong = targets.filter_map(|target| Some(format!("{target}: {}", fault(folder, document, &target)?)));
    wrong.map(|wrong| format!("{}: {wrong}", document.display())).collect()
}

/// Whether a link leads out of the house.
fn is_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

fn fault(folder: &Path, document: &Path, target: &str) -> Option<&'static str> {
    let (file, place) = target.split_once('#').map_or((target, None), |(file, place)| (file, Some(place)));
    let path = if file.is_empty() { document.to_owned() } else { normal(&folder.join(file)) };
    if !path.starts_with(root()) || !path.exists() {
        return Some("there is no such file");
    }
    let place = place?;
    let text = fs::read_to_string(&path).ok()?;
    (!places(&text).contains(place)).then_some("there is no such place in it")
}

/// A path without what leads up again.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = normal.pop(),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// Where the links and pictures of a document lead to.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        let line = without_code(line);
        for (before, after) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"'), ("srcset=\"", '"')] {
            let ends = line.split(before).skip(1).filter_map(|rest| rest.split_once(after));
            found.extend(ends.map(|(target, _)| target.to_owned()));
        }
    }
    found
}

/// The places of a document that a link may name: its headings, as hosts of Git make names of them, and what has an `id`.
fn places(text: &str) -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    for line in prose(text) {
        if let Some(heading) = line.strip_prefix('#') {
            places.insert(place_of(heading.trim_start_matches('#').trim()));
        }
        let ids = line.split("id=\"").skip(1).filter_map(|rest| rest.split_once('"'));
        places.extend(ids.map(|(id, _)| id.to_owned()));
    }
    places
}

fn place_of(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

/// The lines that are no code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence && !line.starts_with("    ")
    })
}

/// A line without what stands between grave accents.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_pictures_are_found_and_code_is_not() {
        let text =
            "See [a](b.md#c), ![d](e.svg) and `[f](g)`.\n    [h](i)\n```\n[j](k)\n```\n<img src=\"l.svg\">";
        assert_eq!(targets(text), ["b.md#c", "e.svg", "l.svg"]);
    }

    #[test]
    fn places_are_named_as_hosts_name_them() {
        let text =
            "# How fast it is\n## `db_customer`\n### A shop's mix\n<a id=\"x\"></a>Text\n    # no heading";
        let expected = ["how-fast-it-is", "db_customer", "a-shops-mix", "x"];
        assert_eq!(places(text), expected.map(str::to_owned).into());
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let (folder, readme) = (root(), root().join("README.md"));
        for wrong in
            ["NOTHING.md", "README.md#nothing-of-this-name", "#nothing-of-this-name", "../outside.md"]
        {
            assert!(fault(&folder, &readme, wrong).is_some(), "{wrong}");
        }
        for right in ["README.md", "services/README.md#search", "#start"] {
            assert_eq!(fault(&folder, &readme, right), None, "{right}");
        }
    }
}
