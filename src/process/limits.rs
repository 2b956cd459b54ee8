//! The limit of the system on this process, the descriptors that it may have open (`RLIMIT_NOFILE`): what a service
//! needs to live is set aside, and clients share the rest. It opens nothing itself.

use std::fs;

use net::Limits;
use net::reactor::Reactor;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::service::Service;

/// The standard streams, and what signals come through: open where the system does not tell what is.
const OPEN_AT_START: usize = 6;
/// What is open for a moment only, in addition to all that is counted: what tells systemd, files of the system that a
/// library reads, temporary files of SQLite.
const RESERVE: usize = 4;
/// The fewest clients of a reactor that are told that there are too many.
const REFUSALS_MIN: usize = 1;
/// The fewest connections through which a process is watched.
const ADMIN_CONNECTIONS_MIN: usize = 2;
/// Of the room that there is where there is too little, the part that is not for clients that are served.
const SMALL_PART: usize = 8;

/// What a service is going to open, beside the connections to it.
#[derive(Clone, Copy)]
pub(crate) struct Needs {
    pub(crate) reactors: usize,
    /// Links of each reactor.
    pub(crate) backends: usize,
    /// Of a database.
    pub(crate) files: usize,
    /// It has an address to be watched at.
    pub(crate) is_watched: bool,
}

/// Each connection takes a descriptor, and the usual limit allows only 1024; so it is made as high as it may be.
pub(crate) fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        log::warn!("event=descriptor_limit_kept error=\"{error}\"");
    }
}

/// Lowers the maxima of connections to what the descriptor limit has room for, and says so.
///
/// # Errors
/// It has not even room for one client.
pub(crate) fn fit_connections(service: Service, limits: &mut Limits, needs: Needs) -> Result<(), String> {
    let Some(available) = getrlimit(Resource::Nofile).current else { return Ok(()) };
    // Reading the folder opens it.
    let open =
        fs::read_dir("/proc/self/fd").map_or(OPEN_AT_START, |entries| entries.count().saturating_sub(1));
    let asked = limits.connections_max;
    fit(limits, needs, usize::try_from(available).unwrap_or(usize::MAX), open).map_err(|least| {
        format!(
            "the descriptor limit is {available}, and {service} needs {least} at least, so that one client can be \
             served: raise RLIMIT_NOFILE (`ulimit -Hn`, LimitNOFILE= of systemd, --ulimit nofile= of Docker)"
        )
    })?;
    if limits.connections_max < asked {
        log::warn!(
            "event=connections_fitted service={service} connections_max={} asked={asked} reactors={} \
             RLIMIT_NOFILE={available}; for more, raise the hard limit (`ulimit -Hn`, LimitNOFILE= of systemd)",
            limits.connections_max,
            needs.reactors
        );
    }
    Ok(())
}

/// Lowers the maxima to what is `available` where so many descriptors are open. The error is how many would do.
fn fit(limits: &mut Limits, needs: Needs, available: usize, open: usize) -> Result<(), usize> {
    let Needs { reactors, backends, files, is_watched } = needs;
    let of_reactors = reactors * Reactor::descriptors(backends);
    let of_admin = if is_watched { Reactor::ADMIN_DESCRIPTORS } else { 0 };
    let fixed = open + files + of_reactors + of_admin + RESERVE;
    let admin_min = if is_watched { ADMIN_CONNECTIONS_MIN } else { 0 };
    let least = fixed + admin_min + reactors * (REFUSALS_MIN + 1);
    if available < least {
        return Err(least);
    }

    let mut left = available - fixed;
    if is_watched {
        let fitted = (left / SMALL_PART).max(ADMIN_CONNECTIONS_MIN);
        limits.admin_connections_max = limits.admin_connections_max.min(fitted);
        left -= limits.admin_connections_max;
    }
    let of_each = left / reactors;
    // Whoever is told that there are too many clients takes a descriptor as well.
    let refusals_max = (of_each / SMALL_PART).clamp(REFUSALS_MIN, limits.refusals_max.max(REFUSALS_MIN));
    limits.connections_max = limits.connections_max.min(of_each - refusals_max);
    limits.refusals_max = limits.refusals_max.min(of_each - limits.connections_max);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: usize = 5;

    fn frontend(reactors: usize) -> Needs {
        Needs { reactors, backends: 5, files: 0, is_watched: false }
    }

    /// What may be open at the same time.
    fn most(limits: &Limits, needs: Needs) -> usize {
        let clients = limits.connections_max + limits.refusals_max;
        let of_admin =
            if needs.is_watched { Reactor::ADMIN_DESCRIPTORS + limits.admin_connections_max } else { 0 };
        let of_reactors = needs.reactors * (Reactor::descriptors(needs.backends) + clients);
        OPEN + needs.files + of_reactors + of_admin + RESERVE
    }

    #[test]
    fn where_there_is_room_nothing_is_lowered() {
        for is_watched in [false, true] {
            let needs = Needs { is_watched, ..frontend(2) };
            let (mut limits, asked) = (Limits::default(), Limits::default());
            fit(&mut limits, needs, most(&asked, needs), OPEN).expect("there is room");
            assert_eq!(limits.connections_max, asked.connections_max);
            assert_eq!(limits.refusals_max, asked.refusals_max);
            assert_eq!(limits.admin_connections_max, asked.admin_connections_max);
        }
    }

    #[test]
    fn what_is_open_at_the_same_time_fits_the_limit_whatever_it_is() {
        let database = Needs { reactors: 1, backends: 0, files: 16, is_watched: false };
        for needs in [frontend(1), frontend(4), database] {
            for needs in [needs, Needs { is_watched: true, ..needs }] {
                let mut connections_max = 0;
                for available in 0..3000 {
                    let mut limits = Limits { connections_max: 500, ..Limits::default() };
                    match fit(&mut limits, needs, available, OPEN) {
                        Err(least) => assert!(available < least && connections_max == 0),
                        Ok(()) => {
                            assert!(most(&limits, needs) <= available, "{limits:?} of {available}");
                            assert!(limits.connections_max >= connections_max.max(1), "at {available}");
                            assert!(limits.refusals_max >= REFUSALS_MIN);
                            connections_max = limits.connections_max;
                        }
                    }
                }
                assert_eq!(connections_max, 500, "in the end, what was asked for");
            }
        }
    }
}
