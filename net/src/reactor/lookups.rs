//! [`Lookups`]: finds the addresses of backends, which may block, so it is done on a thread, and chooses among those of a
//! name.

use std::io::{self, ErrorKind};
use std::mem;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::{ThreadWorker, Waker, Work, Worker};

/// The lookups of all links, at most one of each link at a time.
pub(super) struct Lookups {
    states: Vec<State>,
    /// The group of each link, if those of a group are to be spread over the addresses of their names.
    groups: Option<Vec<usize>>,
    resolver: ThreadWorker<Job, Done>,
}

#[derive(Default)]
struct State {
    places: Vec<Place>,
    under_way: bool,
    /// The place of the address that the link waits for. A link that gave up waits for none: a connection made for it then
    /// would come beside the one that it makes next, and the replies of the two would be mixed up.
    wanted: Option<usize>,
    /// Where the link is, or is on its way to: the place, and what was chosen of what stands for it.
    at: Option<(usize, SocketAddr)>,
    /// The same as it was before the link was to be made anew, until it is known where it goes now. Where its name is not found,
    /// it goes back there, for that was of use a moment ago.
    before: Option<(usize, SocketAddr)>,
}

/// One of a link's addresses.
struct Place {
    address: String,
    /// What stood for it, was chosen, and was of no use in the end, the latest one last.
    failed: Vec<SocketAddr>,
}

impl Lookups {
    /// `addresses` (`HOST:PORT`) are those of each link, in order. With `groups`, of each link too, links are spread.
    pub(super) fn new(
        addresses: Vec<Vec<String>>,
        groups: Option<Vec<usize>>,
        waker: Waker,
    ) -> io::Result<Self> {
        // Its thread is not waited for: a name server that hangs must not hold up the end of the process.
        let (resolver, _) = ThreadWorker::spawn("resolver", Resolver, waker)?;
        let place = |address| Place { address, failed: Vec::new() };
        let state = |addresses: Vec<String>| {
            let places = addresses.into_iter().map(place).collect();
            State { places, ..State::default() }
        };
        Ok(Self { states: addresses.into_iter().map(state).collect(), groups, resolver })
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Looks up the address of the link that has this place.
    pub(super) fn start(&mut self, link: usize, place: usize) {
        let state = &mut self.states[link];
        state.wanted = Some(place);
        if !mem::replace(&mut state.under_way, true) {
            let address = state.places[place].address.clone();
            self.resolver.submit(Job { link, place, address });
        }
    }

    /// The link does not want to know any more, or its connection is gone: another one is to lead elsewhere.
    pub(super) fn give_up(&mut self, link: usize) {
        let state = &mut self.states[link];
        state.wanted = None;
        if let Some((place, address)) = state.at.take() {
            let failed = &mut state.places[place].failed;
            failed.retain(|other| *other != address);
            failed.push(address);
        }
    }

    /// The connection of the link is closed though it was of use, and what failed before is forgotten.
    pub(super) fn renew(&mut self, link: usize) {
        let state = &mut self.states[link];
        (state.wanted, state.before) = (None, state.at.take());
        state.places.iter_mut().for_each(|place| place.failed.clear());
    }

    /// The next result that is still wanted, and the link it is for.
    pub(super) fn poll(&mut self) -> Option<(usize, io::Result<SocketAddr>)> {
        loop {
            let Done { link, place, addresses } = self.resolver.poll()?;
            let state = &mut self.states[link];
            state.under_way = false;
            match state.wanted.take() {
                Some(wanted) if wanted == place => return Some((link, self.settle(link, place, addresses))),
                Some(other) => self.start(link, other),
                None => {}
            }
        }
    }

    /// Where a link goes whose name stands for these addresses, if it was found.
    fn settle(
        &mut self,
        link: usize,
        place: usize,
        addresses: io::Result<Vec<SocketAddr>>,
    ) -> io::Result<SocketAddr> {
        let chosen = addresses.and_then(|addresses| self.choose(link, place, &addresses));
        let state = &mut self.states[link];
        match state.before.take().filter(|(of, _)| *of == place) {
            Some(before) if chosen.is_err() => {
                state.at = Some(before);
                Ok(before.1)
            }
            _ => chosen,
        }
    }

    /// Chooses among the addresses that a name stands for: one that has not failed, and else the one for which that is
    /// longest ago; of those the one with the fewest links, and else any, so that programs which do the same do not all
    /// choose the same. Where links are not spread, the first one.
    fn choose(&mut self, link: usize, place: usize, addresses: &[SocketAddr]) -> io::Result<SocketAddr> {
        self.states[link].places[place].failed.retain(|address| addresses.contains(address));
        let failed = &self.states[link].places[place].failed;
        let failed_at = |address: &SocketAddr| failed.iter().position(|other| other == address);
        let any = || if self.groups.is_some() { fastrand::u32(..) } else { 0 };
        let best = addresses
            .iter()
            .min_by_key(|address| (failed_at(address), self.links_at(link, **address), any()))
            .copied();
        self.states[link].at = best.map(|address| (place, address));
        best.ok_or_else(|| ErrorKind::AddrNotAvailable.into())
    }

    /// How many links of this one's group lead to an address, and how many of all. Nothing is counted where links are not
    /// spread.
    fn links_at(&self, link: usize, address: SocketAddr) -> (usize, usize) {
        let Some(groups) = &self.groups else { return (0, 0) };
        let there =
            self.states.iter().zip(groups).filter(|(state, _)| state.at.is_some_and(|(_, at)| at == address));
        there.fold((0, 0), |(own, all), (_, group)| (own + usize::from(*group == groups[link]), all + 1))
    }
}

struct Job {
    link: usize,
    place: usize,
    address: String,
}

struct Done {
    link: usize,
    place: usize,
    addresses: io::Result<Vec<SocketAddr>>,
}

struct Resolver;

impl Work for Resolver {
    type Job = Job;
    type Done = Done;

    fn run(&mut self, Job { link, place, address }: Job) -> Done {
        Done { link, place, addresses: address.to_socket_addrs().map(Iterator::collect) }
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
        let lookups = Lookups::new(vec![vec![ADDRESS.into(), OTHER.into()]], None, waker).expect("a thread");
        (lookups, woken)
    }

    /// Links to one name, two of each of so many groups.
    fn spread(groups: usize) -> Lookups {
        let groups: Vec<_> = (0..groups).flat_map(|group| [group, group]).collect();
        let addresses = vec![vec!["name:1".to_owned()]; groups.len()];
        Lookups::new(addresses, Some(groups), Waker::new(|| ())).expect("a thread")
    }

    /// The addresses for which a name stands: as many, on the ports from 1 on.
    fn addresses(count: u16) -> Vec<SocketAddr> {
        (1..=count).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect()
    }

    /// The port of the address that a link chooses now.
    fn choose(lookups: &mut Lookups, link: usize, addresses: &[SocketAddr]) -> u16 {
        lookups.choose(link, 0, addresses).expect("there is one").port()
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
        woken.recv().expect("the lookup is done");
        assert_eq!(poll(&mut lookups), Some((0, ADDRESS.into())));
        assert_eq!(poll(&mut lookups), None);
        assert!(woken.try_recv().is_err(), "the first one was under way");
    }

    #[test]
    fn links_of_a_group_are_made_to_different_addresses() {
        let mut lookups = spread(3);
        let three = addresses(3);
        let ports: Vec<_> = (0..6).map(|link| choose(&mut lookups, link, &three)).collect();
        for pair in ports.chunks(2) {
            assert_ne!(pair[0], pair[1]);
        }
        for port in 1..=3 {
            assert_eq!(
                ports.iter().filter(|other| **other == port).count(),
                2,
                "those of all groups: {ports:?}"
            );
        }
    }

    #[test]
    fn a_link_that_is_made_anew_goes_to_the_address_with_the_fewest() {
        let mut lookups = spread(2);
        let two = addresses(2);
        (0..4).for_each(|link| _ = choose(&mut lookups, link, &two));
        let three = addresses(3);
        lookups.renew(0);
        assert_eq!(choose(&mut lookups, 0, &three), 3, "it was added, and nobody else is there");
        lookups.renew(1);
        assert_ne!(choose(&mut lookups, 1, &three), 3, "one of its group is there");
        lookups.renew(0);
        assert_eq!(choose(&mut lookups, 0, &addresses(1)), 1, "the others are gone");
    }

    #[test]
    fn a_link_goes_on_from_an_address_that_failed_until_all_have() {
        for groups in [None, Some(vec![0])] {
            let address = vec![vec!["name:1".to_owned()]];
            let mut lookups = Lookups::new(address, groups, Waker::new(|| ())).expect("a thread");
            let three = addresses(3);
            let mut tried = |_| {
                let port = choose(&mut lookups, 0, &three);
                lookups.give_up(0);
                port
            };
            let (first, second) = ([0; 3].map(&mut tried), [0; 3].map(&mut tried));
            assert_eq!(first, second, "the one that failed longest ago");
            assert_eq!(first.iter().sum::<u16>(), 6, "each: {first:?}");
        }
    }

    #[test]
    fn a_link_that_is_made_anew_forgets_what_has_failed() {
        let address = vec![vec!["name:1".to_owned()]];
        let mut lookups = Lookups::new(address, None, Waker::new(|| ())).expect("a thread");
        let two = addresses(2);
        assert_eq!(choose(&mut lookups, 0, &two), 1);
        lookups.give_up(0);
        assert_eq!(choose(&mut lookups, 0, &two), 2);
        lookups.renew(0);
        assert_eq!(choose(&mut lookups, 0, &two), 1);
    }

    #[test]
    fn a_link_that_is_made_anew_goes_back_where_its_name_is_not_found() {
        let mut lookups = spread(1);
        let not_found = || Err(ErrorKind::NotFound.into());
        let mut settle = |found: io::Result<Vec<SocketAddr>>, happens: fn(&mut Lookups, usize)| {
            let port = lookups.settle(0, 0, found).map(|address| address.port()).ok();
            happens(&mut lookups, 0);
            port
        };
        assert_eq!(settle(Ok(addresses(1)), Lookups::renew), Some(1));
        assert_eq!(settle(not_found(), Lookups::renew), Some(1));
        assert_eq!(settle(not_found(), Lookups::give_up), Some(1));
        assert_eq!(settle(not_found(), Lookups::give_up), None, "it has failed there");
        assert_eq!(settle(Ok(addresses(1)), Lookups::renew), Some(1));
        assert_eq!(settle(Ok(addresses(1)), Lookups::give_up), Some(1));
        assert_eq!(settle(not_found(), Lookups::give_up), None, "it was found since, and has failed");
    }

    #[test]
    fn a_name_that_is_not_found_for_long_leads_back_too() {
        let mut lookups = spread(1);
        lookups.settle(0, 0, Ok(addresses(1))).expect("there is one");
        lookups.renew(0);
        // The link has waited for it as long as it does for a connection.
        lookups.give_up(0);
        let back = lookups.settle(0, 0, Err(ErrorKind::TimedOut.into()));
        assert_eq!(back.map(|address| address.port()).ok(), Some(1));
    }

    #[test]
    fn what_failed_and_is_gone_is_forgotten() {
        let mut lookups = spread(1);
        let one = addresses(1);
        choose(&mut lookups, 0, &addresses(2));
        lookups.give_up(0);
        assert_eq!(choose(&mut lookups, 0, &one), 1);
        lookups.give_up(0);
        assert!(lookups.states[0].places[0].failed.len() <= 1, "addresses come and go for ever");
    }

    #[test]
    fn a_name_without_an_address_is_an_error() {
        assert!(spread(1).choose(0, 0, &[]).is_err());
    }
}
