//! [`Place`]: which service is meant, where there are several.

/// One of the services: there are two of each frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    DbCustomer,
    DbProduct,
    ServerBuyer(usize),
    ServerSeller(usize),
}

impl Place {
    pub(crate) const DATABASES: [Place; 2] = [Place::DbCustomer, Place::DbProduct];
    pub(crate) const FOR_BUYERS: [Place; 2] = [Place::ServerBuyer(0), Place::ServerBuyer(1)];
    pub(crate) const FOR_SELLERS: [Place; 2] = [Place::ServerSeller(0), Place::ServerSeller(1)];
    pub(crate) const ALL: [Place; 6] = [
        Place::DbCustomer,
        Place::DbProduct,
        Place::ServerBuyer(0),
        Place::ServerBuyer(1),
        Place::ServerSeller(0),
        Place::ServerSeller(1),
    ];

    /// Its place among all.
    pub(crate) fn index(self) -> usize {
        match self {
            Place::DbCustomer => 0,
            Place::DbProduct => 1,
            Place::ServerBuyer(number) => 2 + number,
            Place::ServerSeller(number) => 4 + number,
        }
    }
}
