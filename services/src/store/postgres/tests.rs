//! What the tests of both databases on an engine have in common.

pub(super) mod blocking;
pub(super) mod fake;
pub(super) mod interleaved;
