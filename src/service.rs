//! [`Service`]: the four services that this program can be, and what tells them apart on a command line. What they do
//! is known to the crate `services`. No other file of the program lists them.

use std::fmt;

use net::Limits;

/// One of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    DbCustomer,
    DbProduct,
    ServerBuyer,
    ServerSeller,
}

/// Which side of the network between the tiers a service is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It keeps data, and is called by frontends.
    Database,
    /// It is called by users, and calls both databases.
    Frontend,
}

impl Service {
    /// All of them, in the order in which they are started: each after those that it calls.
    pub(crate) const ALL: [Self; 4] =
        [Self::DbCustomer, Self::DbProduct, Self::ServerBuyer, Self::ServerSeller];

    /// The service that this subcommand runs, if it runs one.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The subcommand, and what it is called in logs and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DbCustomer => "db_customer",
            Self::DbProduct => "db_product",
            Self::ServerBuyer => "server_buyer",
            Self::ServerSeller => "server_seller",
        }
    }

    /// What it is, for the program's help.
    pub(crate) fn summary(self) -> &'static str {
        match self {
            Self::DbCustomer => "the database of accounts, sessions, carts and purchases",
            Self::DbProduct => "the database of items, stock and feedback",
            Self::ServerBuyer => "the service that buyers connect to",
            Self::ServerSeller => "the service that sellers connect to",
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::DbCustomer | Self::DbProduct => Kind::Database,
            Self::ServerBuyer | Self::ServerSeller => Kind::Frontend,
        }
    }

    /// The port that it listens on unless it is told another.
    pub(crate) fn default_port(self) -> u16 {
        match self {
            Self::DbCustomer => 6001,
            Self::DbProduct => 6002,
            Self::ServerBuyer => 6003,
            Self::ServerSeller => 6004,
        }
    }

    /// The address that it listens on, and is looked for at, unless told another.
    pub(crate) fn default_address(self) -> String {
        self.address_at("127.0.0.1")
    }

    /// The address with its default port at this host, a name or an address without brackets.
    pub(crate) fn address_at(self, host: &str) -> String {
        address(host, self.default_port())
    }

    /// The limits of its node unless it is told others.
    pub(crate) fn limits(self) -> Limits {
        match self.kind() {
            Kind::Database => services::database_limits(),
            Kind::Frontend => Limits::default(),
        }
    }

    /// The most that its longest request line may be set to, in bytes. What a client sends to a frontend must fit into
    /// a request to a database.
    pub(crate) fn line_bytes_max(self) -> usize {
        match self.kind() {
            Kind::Database => 1 << 30,
            Kind::Frontend => services::database_limits().line_bytes_max / 2,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An address as it is written. The host has no brackets.
pub(crate) fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_is_found_by_its_name_and_has_a_port_of_its_own() {
        for service in Service::ALL {
            assert_eq!(Service::from_name(service.name()), Some(service));
            let same_port = |other: &Service| other.default_port() == service.default_port();
            assert_eq!(Service::ALL.iter().filter(|other| same_port(other)).count(), 1, "{service}");
        }
        assert_eq!(Service::from_name("up"), None);
    }

    #[test]
    fn databases_are_started_before_the_frontends_that_call_them() {
        assert!(Service::ALL.is_sorted_by_key(|service| service.kind() == Kind::Frontend));
    }
}
