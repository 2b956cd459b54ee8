//! What hostile bytes are tried on. Each target is a function that takes any bytes and panics where they do harm:
//! `cargo fuzz` looks for such bytes, and the tests try those that it has kept (`corpus/`), among them all that ever
//! did harm.
//!
//! The services are those that run in production, on nodes that a loop of this crate joins directly: no network delays or
//! breaks anything here, for that the simulation does. Time passes only where a target lets it.

#![forbid(unsafe_code)]

mod admin;
mod backend;
mod client;
mod cuts;
mod database;
mod disk;
mod engine;
mod framing;
mod linked;
mod marketplace;
mod peer;
mod script;
mod secret;
mod tls;

pub use self::admin::admin;
pub use self::backend::backend;
pub use self::client::client;
pub use self::database::database;
pub use self::engine::engine;
pub use self::framing::framing;
pub use self::secret::secret;
pub use self::tls::tls;

/// A target: it panics where an input does harm.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: [(&str, Target); 8] = [
    ("framing", framing),
    ("client", client),
    ("database", database),
    ("admin", admin),
    ("tls", tls),
    ("secret", secret),
    ("backend", backend),
    ("engine", engine),
];
