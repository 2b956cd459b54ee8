//! The words in which engines are spoken to: what PostgreSQL and all that speak its protocol understand alike.

use crate::names::{is_sql, strings};
use crate::source::{is_in, modules};

/// Words that not all engines know, or mean the same by.
const FOREIGN_WORDS: &[&str] = &[
    "SERIAL",
    "BIGSERIAL",
    "SEQUENCE",
    "NEXTVAL",
    "DEFAULT",
    "REFERENCES",
    "FOREIGN",
    "TRIGGER",
    "EXTENSION",
    "TEMP",
    "TEMPORARY",
    "USING",
    "LATERAL",
    "LISTEN",
    "NOTIFY",
    "SAVEPOINT",
    "CURSOR",
    "COPY",
    "TRUNCATE",
    "NOW",
    "RANDOM",
    "CURRENT_TIMESTAMP",
    "PG_ADVISORY_LOCK",
    "PG_ADVISORY_XACT_LOCK",
    "MERGE",
    "OVER",
];
/// The same, of several words.
const FOREIGN_PHRASES: &[&str] = &["DO UPDATE", "FOR UPDATE", "FOR SHARE", "DELETE CASCADE", "SELECT *"];
/// The types that all of them have.
const TYPES: &[&str] = &["bigint", "text", "bytea"];

#[test]
fn statements_for_engines_are_such_as_all_of_them_understand() {
    let modules = modules();
    let store = modules.iter().filter(|source| is_in(&source.name(), "services::store::postgres"));
    let statements: Vec<String> = store.flat_map(strings).filter(|text| is_sql(text)).collect();
    assert!(statements.len() > 60, "the statements were not found");
    let wrong: Vec<String> =
        statements.iter().filter_map(|sql| Some(format!("{}: {sql}", fault(sql)?))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What in a statement not all engines understand.
fn fault(sql: &str) -> Option<String> {
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let upper = sql.to_uppercase();
    let words = || upper.split(|c: char| !c.is_alphanumeric() && c != '_');
    if let Some(word) = FOREIGN_WORDS.iter().find(|foreign| words().any(|word| word == **foreign)) {
        return Some((*word).to_owned());
    }
    if let Some(phrase) = FOREIGN_PHRASES.iter().find(|phrase| upper.contains(**phrase)) {
        return Some((*phrase).to_owned());
    }
    if sql.contains(';') {
        return Some("several statements in one".to_owned());
    }
    if upper.matches("ON CONFLICT (").count() != upper.matches(") DO NOTHING").count()
        || upper.matches("ON CONFLICT").count() != upper.matches("ON CONFLICT (").count()
    {
        return Some("a conflict that is not named".to_owned());
    }
    if ["ANY(", "UNNEST("].iter().any(|of| upper.split(of).skip(1).any(|array| !is_array(array))) {
        return Some("an array of a type that is not said, or not of all engines".to_owned());
    }
    if upper.matches("SUM(").count() != sql.matches(")::bigint").count() {
        return Some("a sum of another type".to_owned());
    }
    if upper.starts_with("CREATE TABLE") { fault_of_table(&sql) } else { fault_of_index(&upper) }
}

/// Whether this begins with a parameter that is said to be an array of texts or of bytes.
fn is_array(text: &str) -> bool {
    let number = text.strip_prefix('$').and_then(|rest| rest.split_once("::"));
    number.is_some_and(|(number, ty)| {
        number.parse::<u8>().is_ok() && (ty.starts_with("TEXT[])") || ty.starts_with("BYTEA[])"))
    })
}

fn fault_of_table(sql: &str) -> Option<String> {
    let inside = sql.strip_prefix("CREATE TABLE IF NOT EXISTS ").and_then(|rest| rest.split_once('('));
    let Some(inside) = inside.and_then(|(_, inside)| inside.strip_suffix(')')) else {
        return Some("a table that may not be there already, or is followed by something".to_owned());
    };
    let mut has_key = false;
    for part in parts(inside) {
        let words: Vec<&str> = part.split(' ').collect();
        match words.as_slice() {
            ["PRIMARY", "KEY", ..] => has_key = true,
            ["CONSTRAINT", _, "CHECK", ..] => {}
            [_, ty, "NOT", "NULL"] if TYPES.contains(ty) => {}
            _ => return Some(format!("the column {part:?}")),
        }
    }
    (!has_key).then(|| "a table without a key".to_owned())
}

fn fault_of_index(upper: &str) -> Option<String> {
    let is_plain = |rest: &str| {
        rest.split_once(" (").is_some_and(|(_, columns)| columns.find(')') == Some(columns.len() - 1))
    };
    let rest = upper.strip_prefix("CREATE ")?;
    let rest = rest.strip_prefix("UNIQUE ").unwrap_or(rest);
    match rest.strip_prefix("INDEX IF NOT EXISTS ") {
        Some(rest) if is_plain(rest) => None,
        _ => Some("something is made that is no plain index".to_owned()),
    }
}

/// What stands between commas that are in no brackets.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let split = text.split(|c| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        c == ',' && depth == 0
    });
    split.map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_engines_understand_is_no_fault() {
        for sql in [
            "CREATE TABLE IF NOT EXISTS a (b bigint NOT NULL,\n c bytea NOT NULL, CONSTRAINT d CHECK (b >= 0), PRIMARY KEY (b, c))",
            "CREATE UNIQUE INDEX IF NOT EXISTS a ON b (c, d)",
            "INSERT INTO a (b) VALUES ($1) ON CONFLICT (b) DO NOTHING",
            "SELECT sum(b)::bigint FROM a WHERE nowhere = $1",
            "SELECT b FROM a, unnest($2::text[]) AS u(t) WHERE c = ANY($1::bytea[])",
        ] {
            assert_eq!(fault(sql), None, "{sql}");
        }
    }

    #[test]
    fn what_some_do_not_is_found() {
        for sql in [
            "CREATE TABLE a (b bigint NOT NULL, PRIMARY KEY (b))",
            "CREATE TABLE IF NOT EXISTS a (b bigint NOT NULL)",
            "CREATE TABLE IF NOT EXISTS a (b integer NOT NULL, PRIMARY KEY (b))",
            "CREATE TABLE IF NOT EXISTS a (b bigint, PRIMARY KEY (b))",
            "CREATE TABLE IF NOT EXISTS a (b bigint NOT NULL DEFAULT 0, PRIMARY KEY (b))",
            "CREATE TABLE IF NOT EXISTS a (b bigint NOT NULL UNIQUE, PRIMARY KEY (b))",
            "CREATE INDEX IF NOT EXISTS a ON b (c) WHERE d = 1",
            "CREATE INDEX a ON b (c)",
            "CREATE VIEW a AS SELECT b FROM c",
            "INSERT INTO a (b) VALUES ($1) ON CONFLICT DO NOTHING",
            "INSERT INTO a (b) VALUES ($1) ON CONFLICT (b) DO UPDATE SET b = 1",
            "SELECT sum(b) FROM a",
            "SELECT b FROM a WHERE c = ANY($1)",
            "SELECT b FROM a WHERE c = ANY($1::bigint[])",
            "SELECT t FROM unnest($1::integer[]) AS u(t)",
            "SELECT * FROM a",
            "SELECT b FROM a FOR UPDATE",
            "UPDATE a SET b = now()",
            "DELETE FROM a; DELETE FROM b",
        ] {
            assert!(fault(sql).is_some(), "{sql}");
        }
    }
}
