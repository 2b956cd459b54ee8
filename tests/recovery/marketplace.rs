//! [`Marketplace`]: the four services, each on a host of its own.

use std::net::SocketAddr;

use tempfile::TempDir;

use super::service::Service;

/// All four services on one temporary directory.
pub(crate) struct Marketplace {
    pub(crate) db_customer: Service,
    pub(crate) db_product: Service,
    pub(crate) server_buyer: Service,
    pub(crate) server_seller: Service,
    _data: TempDir,
}

/// Where clients connect to.
#[derive(Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) buyer: SocketAddr,
    pub(crate) seller: SocketAddr,
}

impl Marketplace {
    /// Starts all services; `frontend_args` are further options of the frontends.
    pub(crate) fn start(frontend_args: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a directory can be made");
        let db_customer = Service::database("db_customer", data.path());
        let db_product = Service::database("db_product", data.path());
        let frontend = |name| Service::frontend(name, db_customer.address, db_product.address, frontend_args);
        let (server_buyer, server_seller) = (frontend("server_buyer"), frontend("server_seller"));
        Self { db_customer, db_product, server_buyer, server_seller, _data: data }
    }

    pub(crate) fn addresses(&self) -> Addresses {
        Addresses { buyer: self.server_buyer.address, seller: self.server_seller.address }
    }

    pub(crate) fn services(&mut self) -> [&mut Service; 4] {
        let Self { db_customer, db_product, server_buyer, server_seller, .. } = self;
        [db_customer, db_product, server_buyer, server_seller]
    }
}
