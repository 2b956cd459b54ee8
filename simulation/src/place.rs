//! [`Place`]: which service is meant, where there are several.

/// One of the services: there are two of each frontend, and two of each database where an engine keeps their rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    DbCustomer,
    DbProduct,
    ServerBuyer(usize),
    ServerSeller(usize),
    SecondDbCustomer,
    SecondDbProduct,
}

impl Place {
    pub(crate) const FOR_BUYERS: [Place; 2] = [Place::ServerBuyer(0), Place::ServerBuyer(1)];
    pub(crate) const FOR_SELLERS: [Place; 2] = [Place::ServerSeller(0), Place::ServerSeller(1)];
    const DATABASES: [Place; 2] = [Place::DbCustomer, Place::DbProduct];
    const DATABASES_ON_ENGINE: [Place; 4] =
        [Place::DbCustomer, Place::DbProduct, Place::SecondDbCustomer, Place::SecondDbProduct];
    const COUNT: usize = 8;
    const ALL: [Place; Self::COUNT] = [
        Place::DbCustomer,
        Place::DbProduct,
        Place::ServerBuyer(0),
        Place::ServerBuyer(1),
        Place::ServerSeller(0),
        Place::ServerSeller(1),
        Place::SecondDbCustomer,
        Place::SecondDbProduct,
    ];

    /// All of them, where there is an engine or none.
    pub(crate) fn all(is_on_engine: bool) -> &'static [Place] {
        let [first @ .., _, _] = &Self::ALL;
        if is_on_engine { &Self::ALL } else { first }
    }

    /// All databases, where there is an engine or none.
    pub(crate) fn databases(is_on_engine: bool) -> &'static [Place] {
        if is_on_engine { &Self::DATABASES_ON_ENGINE } else { &Self::DATABASES }
    }

    pub(crate) fn is_database(self) -> bool {
        Self::DATABASES_ON_ENGINE.contains(&self)
    }

    /// Whether it is a `db_customer`. All of them go by the same clock.
    pub(crate) fn is_customer(self) -> bool {
        matches!(self, Place::DbCustomer | Place::SecondDbCustomer)
    }

    /// Its place among all.
    pub(crate) fn index(self) -> usize {
        Self::ALL.iter().position(|place| *place == self).expect("it is one of them")
    }
}
