//! How [`Results`] are shown: as tables on a terminal, as CSV, as pictures, as part of a Markdown file, and beside
//! others. Nothing is measured here, and what is shown of results that were read from a file is the same.
//!
//! [`Results`]: crate::results::Results

mod axis;
mod chart;
mod compare;
mod csv;
mod figures;
mod format;
mod grid;
mod growth;
mod html;
mod markers;
mod pictures;
mod report;
#[cfg(test)]
mod sample;
mod sheet;
mod table;
mod verdict;

pub use compare::compare;
pub use csv::csv;
pub use growth::{growth_report, growth_table};
pub use html::html;
pub use pictures::{draw, picture_files};
pub use report::{check_report, report};
pub use table::table;
