//! Whether a file is let in: whether it is this database's, and holds all that was acknowledged. Until that is known,
//! nothing is written to it.

use std::path::Path;

use rusqlite::Connection;

use super::commits::{Acknowledged, CommitsFile, Mark, SUFFIX};
use super::connection::{Log, configure, log_of};
use super::error::{failure, io_failure, unreadable};
use super::file::{DatabaseFile, sync_directory_of};
use super::schema::{Schema, check_pages, examine, identify, migrate};
use super::seal::{Seal, State};
use super::{Durability, StoreError};

/// Checks a file that was opened, brings it up to date, and opens the file beside it that tells how far it has come.
///
/// # Errors
/// See [`StoreError`]. The file is left as it was.
pub(super) fn admit<S: Schema>(
    database: &DatabaseFile,
    connection: &mut Connection,
    seal: &Seal,
    durability: Durability,
) -> Result<(Mark, CommitsFile), StoreError> {
    let path = database.path();
    let sql_failed = |error| failure(path, error);
    let commits_path = database.beside(SUFFIX);
    let io_failed = |error| io_failure(&commits_path, error);
    let version = identify::<S>(connection, path)?;
    let found = examine::<S>(connection, path)?;
    let acknowledged = Acknowledged::read(&commits_path).map_err(io_failed)?;
    if let Acknowledged::Mark(acknowledged) = acknowledged {
        compare(path, &commits_path, found, acknowledged)?;
    }
    if version == 0 {
        begin_database(path, &commits_path, acknowledged)?;
    }
    check_pages(connection, path, "quick_check")?;

    configure(connection, path, durability)?;
    let Log { pages, .. } = log_of(connection);
    if pages > 0 {
        log::info!("event=log_recovered path={} pages={pages}", path.display());
    }
    let before = found.map_or(State::default(), |mark| mark.state);
    seal.begin(before);
    migrate::<S>(connection, version).map_err(|error| unreadable(path, error))?;
    if found.is_some() && !matches!(acknowledged, Acknowledged::Mark(_)) {
        let (path, commits) = (path.display(), before.commits);
        log::warn!(
            "event=commits_unknown path={path} commits={commits} nothing beside it tells whether these are all"
        );
        begin_lineage(connection).map_err(sql_failed)?;
    }
    let lineage = connection.query_row("SELECT number FROM lineage", [], |row| row.get(0));
    let mark = Mark { lineage: lineage.map_err(sql_failed)?, state: seal.after(before) };
    let commits_file = CommitsFile::create(&commits_path, mark).map_err(io_failed)?;
    // The names of the files must outlast a power cut like what is in them.
    sync_directory_of(path).map_err(io_failed)?;
    Ok((mark, commits_file))
}

/// Compares what was found in a database with what was acknowledged. It may be ahead: of a commit whose process ended
/// before it was reported, and after a power cut of all whose report was not flushed.
///
/// # Errors
/// It is behind, or another one.
pub(super) fn compare(
    path: &Path,
    commits_path: &Path,
    found: Option<Mark>,
    acknowledged: Mark,
) -> Result<(), StoreError> {
    let State { commits, checksum } = acknowledged.state;
    let lost = |what| {
        let (path, witnesses) = (path.to_owned(), vec![commits_path.to_owned()]);
        Err(StoreError::Lost { path, what, witnesses })
    };
    let Some(found) = found else {
        return lost(format!("it has no commits, and there were {commits}"));
    };
    if found.lineage != acknowledged.lineage {
        return lost(format!("it is not the database of which {commits} commits were acknowledged here"));
    }
    let State { commits: found_commits, checksum: found_checksum } = found.state;
    if found_commits < commits {
        let missing = commits - found_commits;
        return lost(format!("it has {found_commits} commits of {commits}, {missing} are missing"));
    }
    if found_commits == commits && found_checksum != checksum {
        let what = format!("its rows are not those of its {commits} commits");
        return Err(StoreError::Damaged(path.into(), what));
    }
    if found_commits > commits {
        let path = path.display();
        log::info!("event=commits_ahead path={path} commits={found_commits} acknowledged={commits}");
    }
    Ok(())
}

/// Says that a file without anything in it becomes a new database. A start that was killed leaves such a file, and so does
/// who takes its log away.
///
/// # Errors
/// What is beside it, though damaged, tells that there was one.
fn begin_database(path: &Path, commits_path: &Path, acknowledged: Acknowledged) -> Result<(), StoreError> {
    if acknowledged == Acknowledged::Unreadable {
        let (path, what) = (path.to_owned(), "it is empty".to_owned());
        return Err(StoreError::Lost { path, what, witnesses: vec![commits_path.to_owned()] });
    }
    log::warn!("event=database_created path={}", path.display());
    Ok(())
}

/// Makes this another database than the one whose commits are not known any more.
fn begin_lineage(connection: &Connection) -> rusqlite::Result<()> {
    let number: i64 = connection.query_row("SELECT random()", [], |row| row.get(0))?;
    let sql = "UPDATE lineage SET number = ?1, commit_number = commit_number(), checksum = sealed(checksum, id, ?1)";
    connection.execute(sql, [number]).map(|_| ())
}
