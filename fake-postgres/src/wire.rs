//! The wire protocol, from the side of the server (version 3.0): what clients say, as messages, and what they are told, as
//! bytes.

mod backend;
mod frontend;

pub(crate) use self::backend::{Output, Status};
pub(crate) use self::frontend::{Format, Input, Message, Parameter, Start, format_of};
