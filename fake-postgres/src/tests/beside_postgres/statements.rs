//! Single statements: what they come to, in which order, and by which codes they fail.

use super::{Both, postgres};
use crate::tests::LEVELS;
use crate::tests::statements::{CHANGES, EXPRESSIONS, FAILURES, QUERIES};

#[test]
fn statements_come_to_the_same() {
    let Some(server) = postgres() else { return };
    let mut both = Both::start(&server, LEVELS[0]);
    for (sql, expected) in QUERIES {
        assert_eq!(both.ask(1, sql), format!("1 2 {expected} Z I"), "{sql}");
    }
    for (expression, expected) in EXPRESSIONS {
        assert_eq!(both.ask(1, &format!("SELECT {expression}")), format!("1 2 ({expected}) SELECT 1 Z I"));
    }
    for (sql, expected) in CHANGES {
        assert_eq!(both.ask(1, sql), format!("1 2 {expected} Z I"), "{sql}");
    }
}

#[test]
fn what_cannot_be_fails_alike() {
    let Some(server) = postgres() else { return };
    let mut both = Both::start(&server, LEVELS[0]);
    for (sql, code) in FAILURES {
        // Constants are calculated earlier there, so whether the error comes before the statement is bound is open.
        let fake = both.fake.fails(1, sql);
        let real = both.real(1).fails(sql);
        assert_eq!((&*fake, &*real), (*code, *code), "{sql}");
    }
}
