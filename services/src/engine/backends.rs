//! [`Backends`]: where the databases of a frontend are, and so which connections it makes to them.

use std::time::Duration;

use super::lane::Lane;
use crate::api::Database;

/// How long a call waits for a connection that is down before it is seen whether another one stands.
const CHOOSE_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The addresses of the databases, and how many connections of each kind a frontend has to each of them. Where there are
/// several for a database, it does not matter which one is asked.
#[derive(Clone, Debug)]
pub struct Backends {
    /// By the place of the database.
    addresses: [Vec<String>; Database::ALL.len()],
    links: usize,
}

impl Backends {
    /// `links` connections of each kind to each of these addresses (`HOST:PORT`).
    ///
    /// # Panics
    /// A database has no address, or there are no connections.
    pub fn new(customer: Vec<String>, product: Vec<String>, links: usize) -> Self {
        assert!(!customer.is_empty() && !product.is_empty() && links > 0, "each database is reached");
        Self { addresses: [customer, product], links }
    }

    /// One connection of each kind to each database.
    pub fn single(customer: &str, product: &str) -> Self {
        Self::new(vec![customer.to_owned()], vec![product.to_owned()], 1)
    }

    /// The addresses of all connections, in their order, for the node.
    pub fn addresses(&self) -> Vec<String> {
        self.links().map(|(_, replica)| self.address(replica).to_owned()).collect()
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
