//! [`Reader`]: the rows of a database's file, for whoever needs all of them.

use std::path::Path;

use rusqlite::Connection;

use super::StoreError;
use super::error::unreadable;

/// Reads a file that is open.
pub(crate) struct Reader<'a> {
    connection: &'a Connection,
    path: &'a Path,
}

impl<'a> Reader<'a> {
    pub(super) fn new(connection: &'a Connection, path: &'a Path) -> Self {
        Self { connection, path }
    }

    /// Reads rows with a query and shows each to `visit`, which says false of one that makes no sense.
    ///
    /// # Errors
    /// The file is damaged or cannot be read.
    pub(crate) fn read(
        &self,
        query: &str,
        mut visit: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<bool>,
    ) -> Result<(), StoreError> {
        let mut read = || {
            let mut statement = self.connection.prepare(query)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if !visit(row)? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match read() {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::Damaged(self.path.into(), format!("a row of `{query}` is invalid"))),
            Err(error) => Err(unreadable(self.path, error)),
        }
    }
}
