//! How long tests wait, and how they look at what cannot be waited for.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything that must happen may take, on the slowest machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two looks at something that cannot be waited for.
pub const POLL: Duration = Duration::from_millis(5);

/// Looks at `condition` until it holds.
///
/// # Panics
///
/// If it does not hold within [`PATIENCE`].
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up_at = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up_at, "in vain: {what}");
        thread::sleep(POLL);
    }
}
