//! Services read no clock, socket, file or random source: no source file but those of SQLite's folder can even name
//! them.

use std::fs;
use std::path::{Path, PathBuf};

const FORBIDDEN: [&str; 9] = [
    "Instant",
    "SystemTime",
    "std::net",
    "std::fs",
    "std::thread",
    "mio::",
    "getrandom",
    "fastrand",
    "rusqlite",
];
/// What keeps rows in files.
const STORES: [&str; 2] = ["sqlite.rs", "sqlite"];

#[test]
fn only_the_store_names_files_and_nothing_names_clocks_sockets_and_chance() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.len() > 20, "only {} files were found", sources.len());
    for path in sources {
        let source = fs::read_to_string(&path).expect("it can be read");
        let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code.take_while(|line| !line.contains("#[cfg(test)]")) {
            let found = FORBIDDEN.iter().find(|word| line.contains(**word));
            assert!(found.is_none(), "{}: {}", path.display(), line.trim());
        }
    }
}

/// All source files but those of the store and the tests.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(directory).expect("the sources lie beside the tests") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        if STORES.contains(&name) || name == "tests" || name == "tests.rs" {
            continue;
        }
        if path.is_dir() {
            sources.extend(self::sources(&path));
        } else {
            sources.push(path);
        }
    }
    sources
}
