//! What engines answer, as rules read it. That it makes no sense is a defect, of this program or of whoever else writes to
//! the tables: it is logged, and told as one.

use super::operation::Answer;
use super::wire::{BadRow, Reply, Row};
use crate::api::error::{Code, Error};

/// What each statement of a transaction has led to that no constraint can refuse.
///
/// # Errors
/// One did.
pub(super) fn carried_out(answer: Answer) -> Result<Vec<Reply>, Error> {
    answer.map_err(|_| nonsense("what no constraint is about is refused by one"))
}

/// The first row that a statement has returned, if there is any.
pub(super) fn first(replies: &[Reply], call: usize) -> Option<&Row> {
    replies.get(call)?.rows.first()
}

/// The number in a column, from 0 to this.
///
/// # Errors
/// There is none, or another.
pub(super) fn number(row: &Row, column: usize, max: u32) -> Result<u32, Error> {
    let number = u32::try_from(row.int(column)?).ok().filter(|number| *number <= max);
    number.ok_or_else(|| nonsense("a number is out of bounds"))
}

/// What is stored cannot be what was written.
pub(super) fn nonsense(what: &str) -> Error {
    log::error!("event=store_makes_no_sense what={what:?}");
    Error::new(Code::Internal, "what is stored makes no sense")
}

impl From<BadRow> for Error {
    fn from(bad: BadRow) -> Self {
        nonsense(&bad.to_string())
    }
}
