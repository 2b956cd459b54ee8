//! The limit of descriptors, of which each connection takes one. Where it is too low, calls would only fail to connect.

use rustix::process::{Resource, getrlimit};

/// What the load generator needs beside its connections: the event loop, pipes from services, streams and files.
const OTHER_DESCRIPTORS: u64 = 64;

/// Whether this process can have so many connections, which `what` asks for.
///
/// # Errors
/// It cannot.
pub(crate) fn check(connections: usize, what: &str) -> Result<(), String> {
    check_limit(connections, what, getrlimit(Resource::Nofile).current)
}

fn check_limit(connections: usize, what: &str, limit: Option<u64>) -> Result<(), String> {
    let needed = connections as u64 + OTHER_DESCRIPTORS;
    match limit.filter(|limit| *limit < needed) {
        None => Ok(()),
        Some(limit) => Err(format!(
            "{what} needs {needed} descriptors, and the limit is {limit}: raise it with `ulimit -n {needed}`, as root if need be"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_too_low_is_named_with_what_is_needed() {
        assert_eq!(check_limit(960, "x", Some(1024)), Ok(()));
        assert_eq!(check_limit(1_000_000, "x", None), Ok(()));
        let error = check_limit(961, "--clients 900+61", Some(1024)).expect_err("it is one too many");
        assert!(
            error.starts_with("--clients 900+61 needs 1025 descriptors, and the limit is 1024:"),
            "{error}"
        );
    }
}
