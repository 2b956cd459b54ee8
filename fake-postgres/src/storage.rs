//! Tables as ordered maps: each row with the versions that transactions may still see, and indexes that lead to all of
//! them. It knows no SQL, no locks and no levels of isolation.

mod database;
mod key_range;
mod table;
mod versions;

pub(crate) use self::database::{Database, Place};
pub(crate) use self::key_range::{KeyRange, Read};
pub(crate) use self::table::{Column, Index, RowId, Table, TableId};
pub(crate) use self::versions::{Snapshot, TransactionId};
