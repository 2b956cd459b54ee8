use super::*;
use crate::store::postgres::Row;

fn done() -> Outcome {
    Outcome::Done(vec![Reply::default()])
}

fn failed(code: &str) -> Outcome {
    let error = ServerError { code: code.to_owned(), message: "no".to_owned(), is_fatal: false };
    Outcome::Failed { call: 0, error }
}

#[test]
fn both_versions_are_read_before_anything_is_made_and_written_when_all_of_it_is() {
    let mut migration = Migration::new();
    let mut steps = Vec::new();
    while migration.flight().is_some() {
        steps.push(match migration.steps[0] {
            Step::Prepare => "prepare".to_owned(),
            Step::Read(schema) => format!("read {}", schema.service),
            Step::Apply(_) => "apply".to_owned(),
            Step::Record(schema, version) => format!("record {} {version}", schema.service),
        });
        migration.answered(done()).unwrap();
    }
    steps.dedup();
    let expected = [
        "prepare",
        "read customer",
        "read product",
        "apply",
        "record customer 1",
        "apply",
        "record customer 2",
        "apply",
        "record product 1",
    ];
    assert_eq!(steps, expected);
    let told: Vec<String> = migration.migrated().iter().map(Migrated::to_string).collect();
    assert_eq!(told, ["customer: made the tables, version 2", "product: made the tables, version 1"]);
}

#[test]
fn what_another_migration_stands_in_the_way_of_is_tried_again_for_a_while() {
    for code in ["40001", "40P01", "23505", "42710", "42P07", "XX000"] {
        let mut migration = Migration::new();
        for _ in 1..ATTEMPTS_MAX {
            migration.answered(failed(code)).unwrap();
        }
        assert!(matches!(migration.answered(failed(code)), Err(MigrationError::Refused(_))), "{code}");
    }
    let mut migration = Migration::new();
    migration.answered(failed("40001")).unwrap();
    migration.answered(done()).unwrap();
    assert!(matches!(migration.steps[0], Step::Read(_)));
    assert_eq!(migration.attempts, 0);
}

#[test]
fn what_else_goes_wrong_ends_it() {
    assert!(matches!(Migration::new().answered(failed("42501")), Err(MigrationError::Refused(_))));
    for outcome in [Outcome::Lost, Outcome::Unknown] {
        assert_eq!(Migration::new().answered(outcome), Err(MigrationError::Interrupted));
    }
}

#[test]
fn nothing_is_changed_where_tables_are_newer_and_what_is_up_to_date_is_left() {
    let version =
        |version| Outcome::Done(vec![Reply { rows: vec![Row::of_int(version)], ..Reply::default() }]);
    let mut migration = Migration::new();
    migration.answered(done()).unwrap();
    migration.answered(version(1)).unwrap();
    let newer = MigrationError::Newer { service: "product", found: 2, known: 1 };
    assert_eq!(migration.answered(version(2)), Err(newer));

    let mut migration = Migration::new();
    for outcome in [done(), version(2), version(1)] {
        migration.answered(outcome).unwrap();
    }
    assert!(migration.flight().is_none());
    assert_eq!(migration.migrated()[0].to_string(), "customer: up to date, version 2");

    let mut migration = Migration::new();
    for outcome in [done(), version(1), version(1), done(), done()] {
        migration.answered(outcome).unwrap();
    }
    assert!(migration.flight().is_none(), "there is one statement, and the version");
    let told = migration.migrated()[0].to_string();
    assert_eq!(told, "customer: brought the tables from version 1 to 2");

    let mut migration = Migration::new();
    migration.answered(done()).unwrap();
    assert_eq!(migration.answered(version(-1)), Err(MigrationError::BadTable));
}
