//! Stories that are written down step by step.

mod patience;
mod sessions;
