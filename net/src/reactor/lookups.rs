//! [`Lookups`]: finds the addresses of backends, which may block, so it is done on a thread.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};

use crate::{ThreadWorker, Waker, Work, Worker};

/// The lookups of all links, at most one of each link at a time.
pub(super) struct Lookups {
    states: Vec<State>,
    resolver: ThreadWorker<Job, Done>,
}

struct State {
    address: String,
    attempts: usize,
    under_way: bool,
    /// The link waits for the result. A link that gave up does not: a connection made for it then would
    /// come beside the one that it makes next, and the replies of the two would be mixed up.
    wanted: bool,
}

impl Lookups {
    /// `addresses` (`HOST:PORT`) are those of the links, in order.
    pub(super) fn new(addresses: Vec<String>, waker: Waker) -> io::Result<Self> {
        // Its thread is not waited for: a name server that hangs must not hold up the end of the process.
        let (resolver, _) = ThreadWorker::spawn("resolver", Resolver, waker)?;
        let states = addresses.into_iter().map(|address| State {
            address,
            attempts: 0,
            under_way: false,
            wanted: false,
        });
        Ok(Self { states: states.collect(), resolver })
    }

    /// Of several links to one name, lets each begin with another of the addresses that the name stands for.
    pub(super) fn spread(&mut self) {
        let mut links = HashMap::new();
        for State { address, attempts, .. } in &mut self.states {
            let earlier: &mut usize = links.entry(&*address).or_default();
            *attempts = *earlier;
            *earlier += 1;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Looks the link's address up. A name may stand for several addresses: each attempt gives another.
    pub(super) fn start(&mut self, link: usize) {
        let state = &mut self.states[link];
        state.wanted = true;
        if !state.under_way {
            state.under_way = true;
            self.resolver.submit(Job { link, address: state.address.clone(), attempt: state.attempts });
            state.attempts += 1;
        }
    }

    /// The link does not want to know any more.
    pub(super) fn give_up(&mut self, link: usize) {
        self.states[link].wanted = false;
    }

    /// The next result that is still wanted, and the link it is for.
    pub(super) fn poll(&mut self) -> Option<(usize, io::Result<SocketAddr>)> {
        loop {
            let (link, address) = self.resolver.poll()?;
            let state = &mut self.states[link];
            state.under_way = false;
            if std::mem::take(&mut state.wanted) {
                return Some((link, address));
            }
        }
    }
}

struct Job {
    link: usize,
    address: String,
    attempt: usize,
}

type Done = (usize, io::Result<SocketAddr>);

struct Resolver;

impl Work for Resolver {
    type Job = Job;
    type Done = Done;

    fn run(&mut self, job: Job) -> Done {
        let address = job.address.to_socket_addrs().and_then(|addresses| {
            let addresses: Vec<_> = addresses.collect();
            let next = addresses.get(job.attempt % addresses.len().max(1));
            next.copied().ok_or_else(|| io::Error::from(ErrorKind::AddrNotAvailable))
        });
        (job.link, address)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const ADDRESS: &str = "127.0.0.1:6001";

    fn lookups() -> (Lookups, Receiver<()>) {
        let (woken_out, woken) = channel();
        let waker = Waker::new(move || woken_out.send(()).expect("the test listens"));
        let lookups = Lookups::new(vec![ADDRESS.into()], waker).expect("a thread");
        (lookups, woken)
    }

    fn poll(lookups: &mut Lookups) -> Option<(usize, String)> {
        let (link, address) = lookups.poll()?;
        Some((link, address.expect("it is a literal").to_string()))
    }

    #[test]
    fn a_result_that_comes_after_the_link_gave_up_is_dropped() {
        let (mut lookups, woken) = lookups();
        lookups.start(0);
        lookups.give_up(0);
        woken.recv().expect("the lookup is done");
        assert_eq!(poll(&mut lookups), None);

        lookups.start(0);
        woken.recv().expect("a new lookup was begun");
        assert_eq!(poll(&mut lookups), Some((0, ADDRESS.into())));
    }

    #[test]
    fn links_to_one_name_begin_with_different_addresses_of_it() {
        let waker = Waker::new(|| ());
        let addresses = ["one:1", "other:1", "one:1", "one:1", "other:1"].map(str::to_owned).to_vec();
        let mut lookups = Lookups::new(addresses, waker).expect("a thread");
        lookups.spread();
        let begins: Vec<_> = lookups.states.iter().map(|state| state.attempts).collect();
        assert_eq!(begins, [0, 0, 1, 2, 1]);
    }

    #[test]
    fn a_link_that_gave_up_and_tries_again_gets_one_result() {
        let (mut lookups, woken) = lookups();
        lookups.start(0);
        lookups.give_up(0);
        lookups.start(0);
        assert_eq!(lookups.states[0].attempts, 1, "the first one is under way");
        woken.recv().expect("the lookup is done");
        assert_eq!(poll(&mut lookups), Some((0, ADDRESS.into())));
        assert_eq!(poll(&mut lookups), None);
    }
}
