//! What all services do alike, whatever their APIs: reading requests, grouping commits and releasing replies, and driving
//! flows.

mod authentication;
pub(crate) mod backends;
pub(crate) mod call;
pub(crate) mod caller;
pub(crate) mod database;
pub(crate) mod databases;
pub(crate) mod domain;
pub(crate) mod fair_queue;
pub(crate) mod flow;
pub(crate) mod flows;
pub(crate) mod greeting;
pub(crate) mod intake;
pub(crate) mod lane;
mod links;
pub(crate) mod map;
pub(crate) mod metrics;
mod pace;
mod parked;
mod pending;
pub(crate) mod reception;
pub(crate) mod recoveries;
pub(crate) mod room;
pub(crate) mod secrets;
mod standings;
pub(crate) mod storage;
pub(crate) mod table;
