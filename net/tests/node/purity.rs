//! Only drivers read clocks, sockets, files and randomness: no other source file can even name them.

use std::fs;
use std::path::Path;

const FORBIDDEN: [&str; 9] = [
    "Instant",
    "SystemTime",
    "std::net",
    "std::fs",
    "std::io",
    "std::thread",
    "mio::",
    "socket2::",
    "fastrand::",
];
/// The drivers, and the thread that does blocking work for them.
const DRIVERS: [&str; 3] = ["reactor.rs", "sim.rs", "worker.rs"];

#[test]
fn only_drivers_name_clocks_sockets_files_and_chance() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut checked = 0;
    for entry in fs::read_dir(src).expect("the sources lie beside the tests") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        if path.is_dir() || DRIVERS.contains(&name) {
            continue;
        }
        let source = fs::read_to_string(&path).expect("it can be read");
        let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        for (number, line) in code.enumerate() {
            for word in FORBIDDEN {
                assert!(!line.contains(word), "{name}: {word} in code line {number}: {line}");
            }
        }
        checked += 1;
    }
    assert!(checked >= 8, "only {checked} files were found");
}
