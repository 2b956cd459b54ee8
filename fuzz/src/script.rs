//! [`steps`]: an input as a list of things to do, one after another.

/// The most steps of an input: further ones are left out.
const STEPS_MAX: usize = 64;

/// One thing to do, as the target understands it.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    /// What to do.
    pub(crate) what: u8,
    /// How, or where.
    pub(crate) how: u8,
    /// With which bytes.
    pub(crate) text: &'a [u8],
}

/// The steps of an input: for each what, how, how many bytes with, and those. The last one has as many as there are.
pub(crate) fn steps(mut input: &[u8]) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    while let [what, how, length, rest @ ..] = input
        && steps.len() < STEPS_MAX
    {
        let (text, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        steps.push(Step { what: *what, how: *how, text });
        input = rest;
    }
    steps
}
