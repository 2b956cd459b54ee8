//! Tries every target with all that is kept for it: what leads into each corner of it, and whatever did harm once.

use std::fs;
use std::path::Path;

use fuzz::TARGETS;

/// The most bytes of an input: what is kept is small.
const INPUT_BYTES_MAX: u64 = 4096;

#[test]
fn nothing_that_is_kept_does_harm() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut count = 0;
        for entry in fs::read_dir(&folder).expect("each target has inputs") {
            let path = entry.expect("the folder can be read").path();
            let input = fs::read(&path).expect("an input can be read");
            assert!(input.len() as u64 <= INPUT_BYTES_MAX, "{} is too long to be kept", path.display());
            println!("{}", path.display());
            target(&input);
            count += 1;
        }
        assert!(count > 0, "{name} has no inputs");
    }
}
