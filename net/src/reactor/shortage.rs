//! Errors that mean that something of the process or of the machine is used up: which limit it is.

use std::io;

use rustix::io::Errno;

/// The same error for people: with the limit that was reached, if it is about one.
pub(super) fn explained(error: io::Error) -> io::Error {
    match limit(&error) {
        Some(limit) => io::Error::new(error.kind(), format!("{error}: {limit}")),
        None => error,
    }
}

fn limit(error: &io::Error) -> Option<&'static str> {
    Some(match Errno::from_io_error(error)? {
        Errno::MFILE => "the process has as many as RLIMIT_NOFILE (`ulimit -n`) allows",
        Errno::NFILE => "the machine has as many as fs.file-max allows",
        Errno::NOBUFS | Errno::NOMEM => "the kernel has no memory for another connection",
        Errno::NOSPC => "the poll watches as many as fs.epoll.max_user_watches allows",
        Errno::ADDRNOTAVAIL => {
            "the machine does not have it, or its local ports (net.ipv4.ip_local_port_range) are used up"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_about_a_limit_names_it() {
        for (errno, limit) in [
            (Errno::MFILE, "RLIMIT_NOFILE"),
            (Errno::NFILE, "fs.file-max"),
            (Errno::ADDRNOTAVAIL, "net.ipv4.ip_local_port_range"),
        ] {
            let error = io::Error::from(errno);
            let explained = explained(io::Error::from(errno)).to_string();
            assert!(explained.starts_with(&error.to_string()) && explained.contains(limit), "{explained}");
        }
        let other = explained(io::Error::from(Errno::CONNREFUSED));
        assert_eq!(other.raw_os_error(), Some(Errno::CONNREFUSED.raw_os_error()), "as it was");
    }
}
