//! [`Lane`]: the connections of a frontend to the databases, and how each of them begins.

use std::borrow::Cow;

use serde::Deserialize;

use crate::api::envelope::{Error, Reply, excerpt};

/// The first line over each connection. Its ID is below the numbers of all calls.
pub(super) const GREETING: &[u8] = br#"{"type":"Request","request_id":0,"api":"Ping","data":{}}"#;
const GREETING_NUMBER: u64 = 0;
/// The most characters of something unexpected that a log line repeats.
const SAID_CHARS_MAX: usize = 80;

/// A connection to a database. Replies leave a connection in order, so each kind of call that keeps others
/// waiting has connections of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Reads of `db_customer`, answered from memory.
    Customer,
    /// Writes, answered after a flush.
    CustomerWrites,
    /// Passwords, answered after a hash that is slow on purpose.
    CustomerPasswords,
    /// Reads of `db_product`.
    Product,
    /// Writes of `db_product`.
    ProductWrites,
}

/// A process that lanes lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Customer,
    Product,
}

impl Lane {
    /// All lanes, in their order: each is the backend of its place.
    pub(crate) const ALL: [Self; 5] =
        [Self::Customer, Self::CustomerWrites, Self::CustomerPasswords, Self::Product, Self::ProductWrites];

    /// The names of all lanes, in their order.
    pub(crate) const NAMES: [&'static str; 5] =
        ["customer", "customer_writes", "customer_passwords", "product", "product_writes"];

    pub(crate) fn database(self) -> Database {
        match self {
            Self::Customer | Self::CustomerWrites | Self::CustomerPasswords => Database::Customer,
            Self::Product | Self::ProductWrites => Database::Product,
        }
    }
}

impl Database {
    /// Both, in their order.
    pub(crate) const ALL: [Self; 2] = [Self::Customer, Self::Product];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Customer => "db_customer",
            Self::Product => "db_product",
        }
    }

    /// Whether a line is the answer of this database to [`GREETING`].
    ///
    /// # Errors
    /// Who or what answers instead.
    pub(super) fn check_greeting(self, line: &[u8]) -> Result<(), Cow<'static, str>> {
        let said = |text: &str| excerpt(text, SAID_CHARS_MAX);
        match serde_json::from_slice(line) {
            Ok(Greeted { data: Some(Pong { service }), .. })
                if service == self.name() && Reply::to_call(line, GREETING_NUMBER).is_some() =>
            {
                Ok(())
            }
            Ok(Greeted { data: Some(Pong { service }), .. }) if service != self.name() => {
                Err(format!("it is {}, not {}", said(&service), self.name()).into())
            }
            Ok(Greeted { error: Some(error), .. }) => {
                Err(format!("it says: {}", said(&error.message)).into())
            }
            _ => {
                let line = String::from_utf8_lossy(line);
                Err(format!("it does not answer like {}: {}", self.name(), said(&line)).into())
            }
        }
    }
}

/// The addresses of all lanes, in their order, for the node.
pub fn backends(customer: &str, product: &str) -> Vec<String> {
    let address = |lane: Lane| match lane.database() {
        Database::Customer => customer.to_owned(),
        Database::Product => product.to_owned(),
    };
    Lane::ALL.map(address).to_vec()
}

#[derive(Deserialize)]
struct Greeted {
    data: Option<Pong>,
    error: Option<Error>,
}

#[derive(Deserialize)]
struct Pong {
    service: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_stand_in_their_order() {
        for (place, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!(lane as usize, place);
        }
        for (place, database) in Database::ALL.into_iter().enumerate() {
            assert_eq!(database as usize, place);
        }
        assert_eq!(backends("c", "p"), ["c", "c", "c", "p", "p"]);
    }

    #[test]
    fn only_the_right_database_answers_a_greeting() {
        let check = |line: &str| Database::Product.check_greeting(line.as_bytes());
        let answer = |id: &str, service: &str| {
            format!(
                r#"{{"type":"Response","request_id":{id},"ok":true,"error":null,"data":{{"service":"{service}","version":"1","commits":0}}}}"#
            )
        };
        assert_eq!(check(&answer("0", "db_product")), Ok(()));
        let full = r#"{"type":"Response","request_id":null,"ok":false,"error":{"code":"RESOURCE_EXHAUSTED","message":"there are 2 connections, and there may be no more"},"data":null}"#;
        for (line, reason) in [
            (&*answer("0", "db_customer"), "it is db_customer, not db_product"),
            (full, "it says: there are 2 connections, and there may be no more"),
            ("SSH-2.0-OpenSSH_9.2p1", "it does not answer like db_product: SSH-2.0-OpenSSH_9.2p1"),
            ("220 mail \"x\" ESMTP", "it does not answer like db_product: 220 mail \\\"x\\\" ESMTP"),
        ] {
            assert_eq!(check(line), Err(reason.into()));
        }
        assert!(check(&answer("1", "db_product")).is_err(), "it answers another line");
    }
}
