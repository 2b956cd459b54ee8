//! [`Lookups`]: finds the addresses of backends, which may block, so it is done on a thread.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};

use crate::{ThreadWorker, Waker, Work, Worker};

/// The lookups of all links, at most one of each link at a time.
pub(super) struct Lookups {
    states: Vec<State>,
    resolver: ThreadWorker<Job, Done>,
}

#[derive(Default)]
struct State {
    places: Vec<Place>,
    under_way: bool,
    /// The place of the address that the link waits for. A link that gave up waits for none: a connection made for it then
    /// would come beside the one that it makes next, and the replies of the two would be mixed up.
    wanted: Option<usize>,
}

/// One of a link's addresses.
struct Place {
    address: String,
    attempts: usize,
}

impl Lookups {
    /// `addresses` (`HOST:PORT`) are those of each link, in order.
    pub(super) fn new(addresses: Vec<Vec<String>>, waker: Waker) -> io::Result<Self> {
        // Its thread is not waited for: a name server that hangs must not hold up the end of the process.
        let (resolver, _) = ThreadWorker::spawn("resolver", Resolver, waker)?;
        let places = |addresses: Vec<String>| {
            addresses.into_iter().map(|address| Place { address, attempts: 0 }).collect()
        };
        let states =
            addresses.into_iter().map(|addresses| State { places: places(addresses), ..State::default() });
        Ok(Self { states: states.collect(), resolver })
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Looks up the address of the link that has this place. A name may stand for several addresses: each attempt gives
    /// another.
    pub(super) fn start(&mut self, link: usize, place: usize) {
        let state = &mut self.states[link];
        state.wanted = Some(place);
        if state.under_way {
            return;
        }
        state.under_way = true;
        let Place { address, attempts } = &mut state.places[place];
        self.resolver.submit(Job { link, place, address: address.clone(), attempt: *attempts });
        *attempts += 1;
    }

    /// The link does not want to know any more.
    pub(super) fn give_up(&mut self, link: usize) {
        self.states[link].wanted = None;
    }

    /// The next result that is still wanted, and the link it is for.
    pub(super) fn poll(&mut self) -> Option<(usize, io::Result<SocketAddr>)> {
        loop {
            let Done { link, place, address } = self.resolver.poll()?;
            let state = &mut self.states[link];
            state.under_way = false;
            match state.wanted.take() {
                Some(wanted) if wanted == place => return Some((link, address)),
                Some(other) => self.start(link, other),
                None => {}
            }
        }
    }
}

struct Job {
    link: usize,
    place: usize,
    address: String,
    attempt: usize,
}

struct Done {
    link: usize,
    place: usize,
    address: io::Result<SocketAddr>,
}

struct Resolver;

impl Work for Resolver {
    type Job = Job;
    type Done = Done;

    fn run(&mut self, Job { link, place, address, attempt }: Job) -> Done {
        let address = address.to_socket_addrs().and_then(|addresses| {
            let addresses: Vec<_> = addresses.collect();
            let next = addresses.get(attempt % addresses.len().max(1));
            next.copied().ok_or_else(|| io::Error::from(ErrorKind::AddrNotAvailable))
        });
        Done { link, place, address }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const ADDRESS: &str = "127.0.0.1:6001";
    const OTHER: &str = "127.0.0.1:6002";

    fn lookups() -> (Lookups, Receiver<()>) {
        let (woken_out, woken) = channel();
        let waker = Waker::new(move || woken_out.send(()).expect("the test listens"));
        let lookups = Lookups::new(vec![vec![ADDRESS.into(), OTHER.into()]], waker).expect("a thread");
        (lookups, woken)
    }

    fn poll(lookups: &mut Lookups) -> Option<(usize, String)> {
        let (link, address) = lookups.poll()?;
        Some((link, address.expect("it is a literal").to_string()))
    }

    #[test]
    fn a_result_that_comes_after_the_link_gave_up_is_dropped() {
        let (mut lookups, woken) = lookups();
        lookups.start(0, 0);
        lookups.give_up(0);
        woken.recv().expect("the lookup is done");
        assert_eq!(poll(&mut lookups), None);

        lookups.start(0, 0);
        woken.recv().expect("a new lookup was begun");
        assert_eq!(poll(&mut lookups), Some((0, ADDRESS.into())));
    }

    #[test]
    fn a_link_that_gave_up_and_tries_again_gets_one_result() {
        let (mut lookups, woken) = lookups();
        lookups.start(0, 0);
        lookups.give_up(0);
        lookups.start(0, 0);
        assert_eq!(lookups.states[0].places[0].attempts, 1, "the first one is under way");
        woken.recv().expect("the lookup is done");
        assert_eq!(poll(&mut lookups), Some((0, ADDRESS.into())));
        assert_eq!(poll(&mut lookups), None);
    }

    #[test]
    fn a_link_that_wants_another_address_meanwhile_gets_that_one() {
        let (mut lookups, woken) = lookups();
        lookups.start(0, 0);
        lookups.give_up(0);
        lookups.start(0, 1);
        woken.recv().expect("the lookup of the first is done");
        // What is found of the first is dropped, and the other may be found by then.
        let found = poll(&mut lookups).or_else(|| {
            woken.recv().expect("the lookup of the other was begun");
            poll(&mut lookups)
        });
        assert_eq!(found, Some((0, OTHER.into())));
        assert_eq!(poll(&mut lookups), None);
    }
}
