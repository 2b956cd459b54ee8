//! The clients that others are to begin with, against real services, some of which are killed in the middle, and against
//! one that answers from a script.

mod effects;
mod kills;
mod language;
mod replies;
#[path = "../../services/examples/shop/main.rs"]
#[expect(dead_code, reason = "it is a program of its own, whose parts are tested")]
mod shop;
mod trip;

use support::Program;

/// What is tested.
const PROGRAM: Program = Program::at(env!("CARGO_BIN_EXE_marketplace"));
