//! The load generator: it drives the buyers and sellers of a scenario against the marketplace, measures each call and
//! checks each reply, and compares what it finds with a bare relay of the same bytes over the same hops.
//!
//! It runs on the event loop that the services run on, so that one thread drives hundreds of clients. It parses no
//! command line, and knows services from outside only: its caller starts them.

#![forbid(unsafe_code)]

mod api;
mod client;
mod cluster;
mod descriptors;
mod diagnosis;
mod difference;
mod fixture;
mod growth;
mod host;
mod interrupt;
mod length;
mod load;
mod matches;
mod mix;
mod outcome;
mod pace;
mod place;
mod plan;
mod probe;
mod process;
mod progress;
mod record;
mod relay;
mod reply;
pub mod results;
mod run;
mod runner;
pub mod show;
mod summary;

pub use cluster::{Launch, ServiceOptions, Services};
pub use growth::{CatalogueCost, Growth, GrowthPlan, IdleCost, grow};
pub use host::Host;
pub use interrupt::Interrupt;
pub use length::Length;
pub use mix::Mix;
pub use outcome::{Failure, Outcome};
pub use place::Place;
pub use plan::{Plan, Scenario};
pub use process::Process;
pub use relay::{Flusher, Part, serve as serve_relay};
pub use run::run;
