//! [`Backends`]: where the databases of a frontend are, and so which connections it makes to them.

use std::time::Duration;

use super::lane::Lane;
use crate::api::Database;

/// How long a connection is used where there are others to the same address. With two databases behind a name, a third one
/// has its share after a third of that, which is about what a new pod takes until it is ready and a resolver until it has
/// its address; and for an event loop with four connections of each kind it means a new connection each six seconds.
const LINK_LIFETIME: Duration = Duration::from_secs(120);

/// How long a call waits for a connection that is down before it is seen whether another one stands.
const CHOOSE_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The addresses of the databases, and how many connections of each kind a frontend has to each of them. Where there are
/// several for a database, it does not matter which one is asked.
#[derive(Clone, Debug)]
pub struct Backends {
    /// By the place of the database.
    addresses: [Vec<String>; Database::ALL.len()],
    links: usize,
    link_lifetime: Duration,
}

impl Backends {
    /// `links` connections of each kind to each of these addresses (`HOST:PORT`).
    ///
    /// # Panics
    /// A database has no address, or there are no connections.
    pub fn new(customer: Vec<String>, product: Vec<String>, links: usize) -> Self {
        assert!(!customer.is_empty() && !product.is_empty() && links > 0, "each database is reached");
        Self { addresses: [customer, product], links, link_lifetime: LINK_LIFETIME }
    }

    /// The same, with connections that are used for so long where there are several to an address.
    #[must_use]
    pub fn with_link_lifetime(self, link_lifetime: Duration) -> Self {
        Self { link_lifetime, ..self }
    }

    /// How long connections are used where there are several to an address.
    pub fn link_lifetime(&self) -> Duration {
        self.link_lifetime
    }

    /// One connection of each kind to each database.
    pub fn single(customer: &str, product: &str) -> Self {
        Self::new(vec![customer.to_owned()], vec![product.to_owned()], 1)
    }

    /// The addresses of all connections, in their order, for the node.
    pub fn addresses(&self) -> Vec<String> {
        self.links().map(|(_, replica)| self.address(replica).to_owned()).collect()
    }

    /// The kind of each of these connections, as a number: those of a kind are to be spread over the addresses that a name
    /// stands for.
    pub fn groups(&self) -> Vec<usize> {
        self.links().map(|(lane, _)| lane as usize).collect()
    }

    /// Whether there are several connections of a kind.
    pub fn are_several(&self) -> bool {
        self.links > 1 || self.addresses.iter().any(|addresses| addresses.len() > 1)
    }

    /// The time for which the node lets a call wait for a connection, where a call takes so long at most. Where there are
    /// several connections it is shorter, for the frontend then looks which of them stand.
    pub fn waiting_timeout(&self, call: Duration) -> Duration {
        if self.are_several() { call.min(CHOOSE_AGAIN_AFTER) } else { call }
    }

    /// The time after which another one of a lane's connections is made anew, so that each comes to its lifetime. `None`:
    /// never, where there is one to each address; nothing but the name would lead it elsewhere, and no other one takes its
    /// place meanwhile.
    pub(super) fn renewal_interval(&self, lane: Lane) -> Option<Duration> {
        let links = self.links().filter(|(other, _)| *other == lane).count();
        (self.links > 1).then(|| self.link_lifetime / u32::try_from(links).unwrap_or(u32::MAX))
    }

    /// The lane of each connection, and the number of the address to which it leads. Those of a lane lie together.
    pub(super) fn links(&self) -> impl Iterator<Item = (Lane, usize)> {
        let [customer, _] = &self.addresses;
        Lane::all().flat_map(move |lane| {
            let first = if lane.database() == Database::Customer { 0 } else { customer.len() };
            let addresses = self.addresses[lane.database() as usize].len();
            (first..first + addresses).flat_map(move |replica| (0..self.links).map(move |_| (lane, replica)))
        })
    }

    /// The database and the address that each number stands for.
    pub(super) fn replicas(&self) -> impl Iterator<Item = (Database, &str)> {
        Database::ALL.into_iter().flat_map(|database| {
            self.addresses[database as usize].iter().map(move |address| (database, &**address))
        })
    }

    fn address(&self, replica: usize) -> &str {
        let [customer, product] = &self.addresses;
        customer.get(replica).unwrap_or_else(|| &product[replica - customer.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_has_so_many_connections_to_each_address_of_its_database() {
        let product = vec!["p".to_owned(), "q".to_owned()];
        let backends = Backends::new(vec!["c".to_owned()], product, 2);
        let [customer, product] = [&["c", "c"][..], &["p", "p", "q", "q"]];
        assert_eq!(backends.addresses(), [customer, customer, customer, product, product].concat());
        let replicas: Vec<_> = backends.replicas().collect();
        for (address, (lane, replica)) in backends.addresses().iter().zip(backends.links()) {
            assert_eq!(replicas[replica], (lane.database(), &**address));
        }
        assert_eq!(backends.groups(), [0, 0, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4]);
    }

    #[test]
    fn each_connection_comes_to_its_lifetime_where_there_are_several_to_an_address() {
        let lifetime = Duration::from_secs(12);
        let of = |products: &[&str], links| {
            let products = products.iter().map(|address| (*address).to_owned()).collect();
            Backends::new(vec!["c".to_owned()], products, links).with_link_lifetime(lifetime)
        };
        assert_eq!(of(&["p"], 4).renewal_interval(Lane::Product), Some(lifetime / 4));
        assert_eq!(of(&["p", "q", "r"], 2).renewal_interval(Lane::Product), Some(lifetime / 6));
        assert_eq!(of(&["p", "q", "r"], 2).renewal_interval(Lane::Customer), Some(lifetime / 2));
        assert_eq!(of(&["p", "q", "r"], 1).renewal_interval(Lane::Product), None);
    }

    #[test]
    fn calls_wait_as_they_always_have_where_there_is_nothing_to_choose() {
        let call = Duration::from_secs(2);
        assert_eq!(Backends::single("c", "p").waiting_timeout(call), call);
        for several in [
            Backends::new(vec!["c".into()], vec!["p".into()], 2),
            Backends::new(vec!["c".into()], vec!["p".into(), "q".into()], 1),
        ] {
            assert_eq!(several.waiting_timeout(call), CHOOSE_AGAIN_AFTER);
        }
    }
}
