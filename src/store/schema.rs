//! The tables, and how older ones become newer ones.

use super::Store;
use super::fault::fault;
use crate::error::{Code, Error, Result};

/// Each step leads from the version of its position to the next. A step that was released is never changed.
const STEPS: [&str; 2] = [
    "
CREATE TABLE plugin (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    stage TEXT NOT NULL CHECK (stage IN ('staged', 'active', 'deprecated', 'sunset', 'removed')),
    deprecated_on TEXT,
    sunset_on TEXT,
    replacement TEXT,
    note TEXT,
    installed_at INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;

CREATE TABLE tool (
    plugin TEXT NOT NULL,
    version TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    descriptor TEXT NOT NULL,
    PRIMARY KEY (plugin, version, name),
    FOREIGN KEY (plugin, version) REFERENCES plugin (name, version) ON DELETE CASCADE
) STRICT;

CREATE TABLE dependency_lock (
    plugin TEXT NOT NULL,
    version TEXT NOT NULL,
    needs TEXT NOT NULL,
    range TEXT NOT NULL,
    locked TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (plugin, version, needs),
    FOREIGN KEY (plugin, version) REFERENCES plugin (name, version) ON DELETE CASCADE
) STRICT;

-- A grant is never changed: it ends, and another one takes its place.
CREATE TABLE given (
    id TEXT PRIMARY KEY NOT NULL,
    plugin TEXT NOT NULL,
    digest TEXT NOT NULL,
    signer TEXT,
    terms TEXT NOT NULL,
    requested TEXT NOT NULL,
    given_at INTEGER NOT NULL,
    given_by TEXT NOT NULL,
    how TEXT NOT NULL,
    ended_at INTEGER,
    ended_by TEXT
) STRICT;
CREATE UNIQUE INDEX given_current ON given (plugin, digest) WHERE ended_at IS NULL;

CREATE TABLE approval (
    id TEXT PRIMARY KEY NOT NULL,
    binding TEXT NOT NULL,
    tool TEXT NOT NULL,
    subject TEXT NOT NULL,
    requester TEXT NOT NULL,
    once INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    decision TEXT CHECK (decision IN ('allowed', 'denied')),
    decided_at INTEGER,
    decided_by TEXT,
    used_at INTEGER,
    used_by TEXT
) STRICT;
CREATE INDEX approval_binding ON approval (binding, expires_at);

CREATE TABLE session (
    id TEXT PRIMARY KEY NOT NULL,
    started_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    tainted INTEGER NOT NULL,
    labels TEXT NOT NULL
) STRICT;

CREATE TABLE audit_head (
    log TEXT PRIMARY KEY NOT NULL,
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
",
    "
ALTER TABLE plugin ADD COLUMN offers TEXT NOT NULL DEFAULT '{}';
",
];

/// Brings the database to the newest version.
///
/// # Errors
/// E3109 where it is newer than this program; those of [`fault`] where it cannot be changed.
pub(super) async fn migrate(store: &Store) -> Result<()> {
    let failed = |error| fault("opening", &store.path, error);
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&store.pool)
        .await
        .map_err(failed)?;
    let newest = STEPS.len() as i64;
    if found == newest {
        return Ok(());
    }
    let mut change = store.begin().await?;
    // Another process may have done it while this one waited for the lock.
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *change)
        .await
        .map_err(failed)?;
    if found > newest {
        return Err(Error::new(
            Code::E3109,
            format!(
                "{} was written by a newer version of Toolhatch (version {found}; this program knows {newest})",
                store.path.display()
            ),
        )
        .hint("Use that version, or another TOOLHATCH_HOME."));
    }
    for (version, step) in (1_i64..).zip(STEPS) {
        if version <= found {
            continue;
        }
        sqlx::raw_sql(step)
            .execute(&mut *change)
            .await
            .map_err(failed)?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "PRAGMA user_version = {version}"
        )))
        .execute(&mut *change)
        .await
        .map_err(failed)?;
    }
    change.commit().await.map_err(failed)
}
