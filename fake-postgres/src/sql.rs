//! Statements: what they mean ([`plan`]), how they are read ([`parse`]), and what comes of those that only read
//! ([`Reader`]). What changes something is carried out elsewhere, because it may have to wait.

mod access;
mod evaluate;
mod parse;
mod plan;
mod reader;
mod scope;

pub(crate) use self::parse::parse;
pub(crate) use self::plan::{Check, Conflict, CreateIndex, CreateTable, Filter, Insert, Plan, Update};
pub(crate) use self::reader::Reader;
pub(crate) use self::scope::Scope;
