//! [`Marketplace`]: the four services as processes, each on a host of its own.

use std::net::SocketAddr;

use tempfile::TempDir;

use crate::program::Program;
use crate::service::Service;

/// All four services on one temporary directory.
pub struct Marketplace {
    /// Accounts, sessions and carts.
    pub db_customer: Service,
    /// Items.
    pub db_product: Service,
    /// What buyers connect to.
    pub server_buyer: Service,
    /// What sellers connect to.
    pub server_seller: Service,
    _data: TempDir,
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
        let data = tempfile::tempdir().expect("a directory can be made");
        let db_customer = self.database("db_customer", data.path());
        let db_product = self.database("db_product", data.path());
        let frontend = |name| self.frontend(name, db_customer.address, db_product.address, frontend_args);
        let (server_buyer, server_seller) = (frontend("server_buyer"), frontend("server_seller"));
        Marketplace { db_customer, db_product, server_buyer, server_seller, _data: data }
    }
}

impl Marketplace {
    /// Where clients connect to.
    pub fn addresses(&self) -> Addresses {
        Addresses { buyer: self.server_buyer.address, seller: self.server_seller.address }
    }

    /// All of them, in the order of [`SERVICES`](crate::SERVICES).
    pub fn services(&mut self) -> [&mut Service; 4] {
        let Self { db_customer, db_product, server_buyer, server_seller, .. } = self;
        [db_customer, db_product, server_buyer, server_seller]
    }
}
