//! A pool beside servers that follow a script.

mod chance;
mod commits;
mod errors;
mod limits;
mod order;
mod peer;
mod silence;
mod stage;
mod starts;

use self::peer::Peer;
use self::stage::{Stage, lookup, nothing_changed, read, search, unknown, write};
use super::*;
use crate::api::Effect;
use crate::api::error::Code;
