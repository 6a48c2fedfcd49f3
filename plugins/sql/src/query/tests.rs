use std::time::Instant;

use serde_json::json;
use toolhatch_plugin::Call;

use super::*;
use crate::testing::{Folder, call, hurried};

const USERS: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, score REAL, icon BLOB);
    CREATE INDEX by_name ON users (name);
    INSERT INTO users VALUES (1, 'Ada', 1.5, x'00ff'), (9007199254740993, 'Bob', NULL, NULL);";

#[test]
fn rows_come_with_their_columns() {
    let folder = Folder::with(USERS);
    let result = folder.query("SELECT * FROM users", json!({})).unwrap();
    assert_eq!(
        result,
        json!({
            "columns": [
                {"name": "id", "type": "integer"}, {"name": "name", "type": "text"}, {"name": "score", "type": "real"},
                {"name": "icon", "type": "blob"}
            ],
            "rows": [[1, "Ada", 1.5, {"base64": "AP8="}], [9_007_199_254_740_993_i64, "Bob", null, null]],
            "row_count": 2, "truncated": false
        })
    );
    let arguments = json!({"sql": "SELECT 'a\tb' AS x, NULL", "database": folder.path("db")});
    let (_, text) = call("query", &arguments, &Call::default()).unwrap();
    assert_eq!(text, "x\tNULL\na\\tb\tNULL");
}

#[test]
fn parameters_are_bound_in_order_or_by_name() {
    let folder = Folder::with(USERS);
    for (sql, parameters, rows) in [
        (
            "SELECT name FROM users WHERE id = ? AND score > ?",
            json!([1, 1]),
            json!([["Ada"]]),
        ),
        (
            "SELECT name FROM users WHERE name = :name OR id = @id ORDER BY id",
            json!({"name": "Bob", "id": 1}),
            json!([["Ada"], ["Bob"]]),
        ),
        ("SELECT ?2, ?1", json!([1, 2]), json!([[2, 1]])),
        (
            "SELECT hex(?)",
            json!([{"base64": "AP8="}]),
            json!([["00FF"]]),
        ),
        ("SELECT ?; SELECT ?, ?", json!([1, 2, 3]), json!([[2, 3]])),
        (
            "SELECT '; DROP TABLE users', ?",
            json!(["'; DROP TABLE users; --"]),
            json!([["; DROP TABLE users", "'; DROP TABLE users; --"]]),
        ),
    ] {
        let result = folder
            .query(sql, json!({"parameters": parameters}))
            .unwrap();
        assert_eq!(result["rows"], rows, "{sql}");
    }
    for (sql, parameters, why) in [
        (
            "SELECT ?",
            json!([]),
            "parameter 1 of the statement has no value",
        ),
        (
            "SELECT ?",
            json!([1, 2]),
            "has 2 values, and the statements take 1",
        ),
        (
            "SELECT :a",
            json!({"b": 1}),
            "the parameter `:a` of the statement has no value",
        ),
        (
            "SELECT :a",
            json!({"a": 1, "b": 1}),
            "no statement has a parameter `b`",
        ),
        ("SELECT ?", json!({"a": 1}), "give a list"),
        (
            "SELECT ?",
            json!([18_446_744_073_709_551_615_u64]),
            "give it as a text",
        ),
    ] {
        let error = folder
            .query(sql, json!({"parameters": parameters}))
            .unwrap_err();
        assert!(
            matches!(&error, ToolError::InvalidArguments(message) if message.contains(why)),
            "{sql}: {error}"
        );
    }
}

#[test]
fn many_rows_come_in_parts() {
    let folder = Folder::with(
        "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 25) SELECT i FROM n",
    );
    let result = folder
        .query(
            "SELECT i FROM t ORDER BY i",
            json!({"max_rows": 10, "offset": 10}),
        )
        .unwrap();
    assert_eq!(
        (
            &result["rows"][0][0],
            &result["row_count"],
            &result["truncated"]
        ),
        (&json!(11), &json!(10), &json!(true))
    );
    let result = folder
        .query(
            "SELECT i FROM t ORDER BY i",
            json!({"max_rows": 10, "offset": 20}),
        )
        .unwrap();
    assert_eq!(
        (&result["row_count"], &result["truncated"]),
        (&json!(5), &json!(false))
    );
    let result = folder
        .query("SELECT zeroblob(500000) FROM t", json!({"max_rows": 25}))
        .unwrap();
    assert_eq!(
        (&result["row_count"], &result["truncated"]),
        (&json!(3), &json!(true))
    );
    let error = folder
        .query("SELECT zeroblob(3000000)", json!({}))
        .unwrap_err();
    assert!(error.to_string().contains("select less of it"), "{error}");
}

#[test]
fn a_database_is_only_read_unless_it_may_be_written() {
    let folder = Folder::with(USERS);
    for sql in [
        "DELETE FROM users",
        "INSERT INTO users(name) VALUES ('x')",
        "UPDATE users SET name = ''",
        "DROP TABLE users",
        "CREATE TABLE x (a)",
        "CREATE TEMP TABLE x (a)",
        "ALTER TABLE users RENAME TO x",
        "PRAGMA user_version = 7",
        "WITH x AS (SELECT 1) DELETE FROM users RETURNING id",
        "REINDEX",
        "ANALYZE",
    ] {
        let error = folder.query(sql, json!({})).unwrap_err();
        assert!(
            matches!(&error, ToolError::Failed(message) if message.contains("nothing else")),
            "{sql}: {error}"
        );
    }
    assert_eq!(folder.names(), ["db"]);
    assert_eq!(
        folder
            .query("SELECT count(*) FROM users", json!({}))
            .unwrap()["rows"],
        json!([[2]])
    );
}

#[test]
fn what_is_written_is_one_transaction() {
    let folder = Folder::with(USERS);
    let sql = "CREATE TABLE log (text); INSERT INTO log VALUES ('a'), ('b'); UPDATE users SET score = 2 RETURNING name;";
    let result = folder
        .query(sql, json!({"write": true, "max_rows": 1}))
        .unwrap();
    assert_eq!(
        (&result["changes"], &result["rows"], &result["truncated"]),
        (&json!(4), &json!([["Ada"]]), &json!(true))
    );
    assert_eq!(folder.names(), ["db"]);
    assert_eq!(
        folder
            .query("SELECT sum(score) FROM users", json!({}))
            .unwrap()["rows"],
        json!([[4.0]])
    );
    // One that fails leaves nothing of those before it.
    for sql in [
        "DELETE FROM users; INSERT INTO nothing VALUES (1)",
        "DELETE FROM users; INSERT INTO log VALUES (1); SELECT no_such()",
        "INSERT INTO users VALUES (2, 'x', 1, 1); INSERT OR ROLLBACK INTO users VALUES (1, 'x', 1, 1)",
        "DELETE FROM users; COMMIT",
        "DELETE FROM users; SELECT ?",
    ] {
        assert!(folder.query(sql, json!({"write": true})).is_err(), "{sql}");
        assert_eq!(
            folder
                .query("SELECT count(*) FROM users", json!({}))
                .unwrap()["rows"],
            json!([[2]]),
            "{sql}"
        );
    }
    assert_eq!(folder.names(), ["db"]);
}

#[test]
fn one_call_writes_at_a_time() {
    let folder = Folder::with(USERS);
    folder.write("db-writing", b"");
    let error = folder
        .query("DELETE FROM users", json!({"write": true}))
        .unwrap_err();
    assert!(matches!(error, ToolError::Retryable { .. }), "{error}");
    // One that was left long ago is nobody's.
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    std::fs::File::open(folder.path("db-writing"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    assert_eq!(
        folder
            .query("DELETE FROM users", json!({"write": true}))
            .unwrap()["changes"],
        2
    );
    assert_eq!(folder.names(), ["db"]);
}

#[test]
fn nothing_but_the_tables_is_reached() {
    let folder = Folder::with(USERS);
    folder.write("other", b"");
    let other = folder.path("other").display().to_string();
    for may_write in [false, true] {
        for sql in [
            format!("ATTACH '{other}' AS x"),
            "ATTACH ':memory:' AS x".to_owned(),
            "DETACH main".to_owned(),
            format!("VACUUM INTO '{other}2'"),
            "VACUUM".to_owned(),
            "SELECT load_extension('x')".to_owned(),
            "SELECT writefile('x', 'y')".to_owned(),
            "SELECT readfile('/etc/passwd')".to_owned(),
            format!("PRAGMA temp_store_directory = '{other}'"),
            "PRAGMA journal_mode = WAL".to_owned(),
            "PRAGMA writable_schema = ON".to_owned(),
            "PRAGMA hard_heap_limit = 0".to_owned(),
            "PRAGMA trusted_schema = ON".to_owned(),
            "PRAGMA locking_mode".to_owned(),
            "PRAGMA database_list".to_owned(),
            "SELECT * FROM pragma_database_list".to_owned(),
            "BEGIN".to_owned(),
            "ROLLBACK".to_owned(),
            "CREATE VIRTUAL TABLE x USING dbstat".to_owned(),
            "CREATE VIRTUAL TABLE x USING csv(filename='/etc/passwd')".to_owned(),
        ] {
            let error = folder.query(&sql, json!({"write": may_write})).unwrap_err();
            let is_refused = match &error {
                ToolError::Failed(message) => message.contains("nothing else"),
                // There is no such thing in the first place.
                ToolError::InvalidArguments(message) => {
                    message.contains("no such") || message.contains("within a transaction")
                }
                _ => false,
            };
            assert!(is_refused, "{sql}: {error:?}");
        }
    }
    assert_eq!(folder.names(), ["db", "other"]);
    for sql in [
        "PRAGMA table_info(users)",
        "PRAGMA integrity_check",
        "PRAGMA user_version",
    ] {
        assert!(folder.query(sql, json!({})).is_ok(), "{sql}");
    }
    let sql = "PRAGMA user_version = 7; CREATE VIRTUAL TABLE x USING fts5(a); INSERT INTO x VALUES ('some words')";
    folder.query(sql, json!({"write": true})).unwrap();
    let result = folder
        .query(
            "SELECT a, (SELECT user_version FROM pragma_user_version) FROM x('words')",
            json!({}),
        )
        .unwrap();
    assert_eq!(result["rows"], json!([["some words", 7]]));
}

#[test]
fn what_would_go_on_for_ever_is_interrupted() {
    let folder = Folder::with(USERS);
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let arguments = json!({"sql": endless, "database": folder.path("db")});
    let begun = Instant::now();
    let error = call("query", &arguments, &hurried(600)).unwrap_err();
    assert!(error.to_string().contains("took too long"), "{error}");
    assert!(begun.elapsed().as_secs() < 10);
    let arguments = json!({"sql": format!("DELETE FROM users; {endless}"), "database": folder.path("db"), "write": true});
    assert!(call("query", &arguments, &hurried(600)).is_err());
    assert_eq!(
        folder
            .query("SELECT count(*) FROM users", json!({}))
            .unwrap()["rows"],
        json!([[2]])
    );
}

#[test]
fn what_takes_too_much_is_told() {
    let folder = Folder::with(USERS);
    for (sql, why) in [
        ("SELECT zeroblob(100000000)", "too big"),
        (
            "SELECT group_concat(hex(zeroblob(1000000))) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) SELECT i FROM n)",
            "too big",
        ),
        (
            &format!("SELECT {}1{}", "(".repeat(3000), ")".repeat(3000)),
            "Recursion limit",
        ),
        (
            &format!("SELECT {}1", "1+".repeat(3000)),
            "Expression tree is too large",
        ),
    ] {
        let error = folder.query(sql, json!({})).unwrap_err().to_string();
        assert!(error.contains(why), "{sql:.40}: {error}");
    }
}

#[test]
fn mistakes_are_explained() {
    let folder = Folder::with(USERS);
    for (sql, why) in [
        ("SELEC 1", "syntax error, at `SELEC 1`"),
        ("SELECT nme FROM users", "no such column: nme"),
        ("SELECT \"nme\" FROM users", "no such column"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("-- nothing", "has no statement"),
        ("SELECT 'a", "unrecognized token"),
    ] {
        let result = folder.query(sql, json!({}));
        let error = result.unwrap_err();
        assert!(
            matches!(&error, ToolError::InvalidArguments(message) if message.contains(why)),
            "{sql}: {error:?}"
        );
    }
    let error = folder
        .query("INSERT INTO users(id) VALUES (1)", json!({"write": true}))
        .unwrap_err();
    assert!(
        matches!(&error, ToolError::Failed(message) if message.contains("UNIQUE constraint failed")),
        "{error:?}"
    );
}

#[test]
fn what_is_no_database_or_broken_is_told() {
    let folder = Folder::with(USERS);
    let whole = std::fs::read(folder.path("db")).unwrap();
    let mut damaged = whole.clone();
    damaged[100..4096].fill(0xee);
    for (bytes, why) in [
        (b"".to_vec(), "is no SQLite database"),
        (b"a,b\n1,2\n".to_vec(), "is loaded with `tables`"),
        (whole[..50].to_vec(), "is damaged"),
        (whole[..5000].to_vec(), "is damaged"),
        (damaged, "is damaged"),
    ] {
        folder.write("db", &bytes);
        let error = folder.query("SELECT * FROM users", json!({})).unwrap_err();
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    std::fs::remove_file(folder.path("db")).unwrap();
    for may_write in [false, true] {
        let error = folder
            .query("SELECT 1", json!({"write": may_write}))
            .unwrap_err();
        assert!(matches!(error, ToolError::NotFound(_)), "{error}");
    }
    assert_eq!(folder.names(), Vec::<String>::new());
    let error = call("query", &json!({"sql": "SELECT 1"}), &Call::default()).unwrap_err();
    assert!(error.to_string().contains("name a `database`"), "{error}");
}

#[test]
fn a_database_in_wal_mode_is_read_where_it_is_whole() {
    let folder = Folder::with(&format!("PRAGMA journal_mode=WAL; {USERS}"));
    assert_eq!(
        folder
            .query("SELECT count(*) FROM users", json!({}))
            .unwrap()["rows"],
        json!([[2]])
    );
    let error = folder
        .query("DELETE FROM users", json!({"write": true}))
        .unwrap_err();
    assert!(error.to_string().contains("WAL mode"), "{error}");
    let other = Connection::open(folder.path("db")).unwrap();
    other.execute_batch("DELETE FROM users").unwrap();
    let error = folder
        .query("SELECT count(*) FROM users", json!({}))
        .unwrap_err();
    assert!(error.to_string().contains("wal_checkpoint"), "{error}");
}

#[test]
fn a_database_that_somebody_was_interrupted_at_is_not_read_half() {
    let folder = Folder::with(&format!("{USERS} PRAGMA cache_size=1;"));
    let other = Connection::open(folder.path("db")).unwrap();
    other
        .execute_batch("BEGIN; UPDATE users SET name = hex(zeroblob(100000)); ")
        .unwrap();
    // As a program leaves it that is killed while it writes.
    let journal = std::fs::read(folder.path("db-journal")).unwrap();
    let half = std::fs::read(folder.path("db")).unwrap();
    drop(other);
    folder.write("db", &half);
    folder.write("db-journal", &journal);
    let result = folder.query("SELECT length(name) FROM users", json!({}));
    match result {
        Ok(result) => assert_eq!(result["rows"], json!([[3], [3]])),
        Err(error) => assert!(error.to_string().contains("interrupted"), "{error}"),
    }
}
