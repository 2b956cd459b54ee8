//! [`Marketplace`]: the four services as processes, each on a host of its own.

use std::net::SocketAddr;

use crate::program::Program;
use crate::service::Service;
use crate::store::Store;

/// All four services on one [`Store`].
pub struct Marketplace {
    /// Accounts, sessions and carts.
    pub db_customer: Service,
    /// Items.
    pub db_product: Service,
    /// What buyers connect to.
    pub server_buyer: Service,
    /// What sellers connect to.
    pub server_seller: Service,
    store: Store,
}

/// Where clients connect to.
#[derive(Clone, Copy)]
pub struct Addresses {
    /// The address of `server_buyer`.
    pub buyer: SocketAddr,
    /// The address of `server_seller`.
    pub seller: SocketAddr,
}

impl Program {
    /// Starts all services; `frontend_args` are further options of the frontends.
    pub fn marketplace(self, frontend_args: &[&str]) -> Marketplace {
        let store = Store::new(self);
        let database = |name| self.replica(name, Service::database_args_with(name, store.arg()));
        let (db_customer, db_product) = (database("db_customer"), database("db_product"));
        let frontend = |name| self.frontend(name, db_customer.address, db_product.address, frontend_args);
        let (server_buyer, server_seller) = (frontend("server_buyer"), frontend("server_seller"));
        Marketplace { db_customer, db_product, server_buyer, server_seller, store }
    }
}

impl Marketplace {
    /// Where clients connect to.
    pub fn addresses(&self) -> Addresses {
        Addresses { buyer: self.server_buyer.address, seller: self.server_seller.address }
    }

    /// Brings the tables up to date by another program, where an engine has some.
    #[track_caller]
    pub fn migrate(&self, program: Program) {
        self.store.migrate(program);
    }

    /// All of them, in the order of [`SERVICES`](crate::SERVICES).
    pub fn services(&mut self) -> [&mut Service; 4] {
        let Self { db_customer, db_product, server_buyer, server_seller, .. } = self;
        [db_customer, db_product, server_buyer, server_seller]
    }
}
