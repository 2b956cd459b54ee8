//! [`Places`]: connections in the order in which they make room for others, and [`Addresses`]: how many come from where.
//! They close nothing, and do not look into a connection.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::event::Conn;
use crate::time::Time;

/// Connections that have a place, by how long they have been idle.
///
/// That is known late: a connection stands in the order where it stood when somebody looked last, and since then it can
/// only have moved back. So what a connection does costs nothing here, and whoever looks for the one that has been idle
/// for longest puts those that come first by mistake where they belong. One that was not idle is not looked at again for
/// as long as it must be idle, however often one is looked for.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// None has been idle since an earlier time than stands with it.
    order: BTreeSet<(Time, Conn)>,
    /// The time that stands with a connection in the order, by its slot.
    times: Vec<Time>,
}

impl Places {
    /// A new connection takes a place.
    pub(crate) fn take(&mut self, now: Time, conn: Conn) {
        if self.times.len() <= conn.slot() {
            self.times.resize(conn.slot() + 1, Time::default());
        }
        self.put(now, conn);
    }

    /// A connection is gone. False: it had no place.
    pub(crate) fn leave(&mut self, conn: Conn) -> bool {
        self.times.get(conn.slot()).is_some_and(|at| self.order.remove(&(*at, conn)))
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// The connection that has been idle for longest, if it has been for so long, which is more than no time. `idle_since`
    /// says since when a connection is, if it is.
    pub(crate) fn longest_idle(
        &mut self,
        now: Time,
        idle_min: Duration,
        idle_since: impl Fn(Conn) -> Option<Time>,
    ) -> Option<Conn> {
        loop {
            let &(at, conn) = self.order.first().filter(|(at, _)| *at + idle_min <= now)?;
            let since = idle_since(conn).unwrap_or(now);
            if since <= at {
                return Some(conn);
            }
            self.order.pop_first();
            self.put(since, conn);
        }
    }

    fn put(&mut self, at: Time, conn: Conn) {
        self.times[conn.slot()] = at;
        self.order.insert((at, conn));
    }
}

/// How many connections come from each address. Whoever has one IPv6 address has the 2⁶⁴ of its network, so those count
/// as one.
#[derive(Debug, Default)]
pub(crate) struct Addresses(HashMap<IpAddr, usize>);

impl Addresses {
    pub(crate) fn count(&self, address: SocketAddr) -> usize {
        self.0.get(&network(address.ip())).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, address: SocketAddr) {
        *self.0.entry(network(address.ip())).or_default() += 1;
    }

    pub(crate) fn remove(&mut self, address: SocketAddr) {
        let network = network(address.ip());
        if let Some(count) = self.0.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&network);
            }
        }
    }
}

/// What tells the client of an address apart from others: the address itself if it is one of IPv4, in whatever form, or
/// the first 64 bits of one of IPv6.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::slots::Slots;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn the_longest_idle_is_found_whatever_happened_since_they_came() {
        let (mut places, mut slots) = (Places::default(), Slots::new());
        let conns = [0, 1, 2].map(|millis| {
            let conn = slots.insert(at(millis));
            places.take(at(millis), conn);
            conn
        });
        *slots.get_mut(conns[0]).unwrap() = at(10);
        *slots.get_mut(conns[1]).unwrap() = at(20);
        let longest_idle =
            |places: &mut Places, now| places.longest_idle(at(now), SECOND, |conn| slots.get(conn).copied());
        assert_eq!(longest_idle(&mut places, 1001), None, "the third came later");
        assert_eq!(longest_idle(&mut places, 1002), Some(conns[2]));
        assert!(places.leave(conns[2]));
        assert!(!places.leave(conns[2]), "only once");
        assert_eq!(longest_idle(&mut places, 1015), Some(conns[0]));
        assert_eq!(longest_idle(&mut places, 1015), Some(conns[0]), "it has not left");
        assert!(places.leave(conns[0]) && places.leave(conns[1]));
        assert_eq!((places.len(), longest_idle(&mut places, 1100)), (0, None));
    }

    #[test]
    fn those_in_use_are_looked_at_once_in_a_while_however_often_one_is_looked_for() {
        let (mut places, mut slots, looks) = (Places::default(), Slots::new(), Cell::new(0));
        for _ in 0..1000 {
            places.take(at(0), slots.insert(()));
        }
        let busy = |_| {
            looks.set(looks.get() + 1);
            None
        };
        for now in 1000..2000 {
            assert_eq!(places.longest_idle(at(now), SECOND, busy), None);
        }
        assert_eq!(looks.get(), 1000);
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let mut addresses = Addresses::default();
        let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 1);
        for text in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:0:1::1", "2001:db8:0:1:ffff::"] {
            addresses.add(address(text));
        }
        let count = |addresses: &Addresses, text| addresses.count(address(text));
        assert_eq!(count(&addresses, "192.0.2.1"), 2);
        assert_eq!(count(&addresses, "192.0.2.2"), 0);
        assert_eq!(count(&addresses, "2001:db8:0:1::"), 2);
        assert_eq!(count(&addresses, "2001:db8:0:2::"), 0);
        addresses.remove(address("192.0.2.1"));
        assert_eq!(count(&addresses, "::ffff:192.0.2.1"), 1);
        addresses.remove(address("192.0.2.1"));
        assert_eq!(addresses.0.len(), 1, "what has no connection takes no memory");
    }
}
