use serde_json::json;
use toolhatch_plugin::Call;

use crate::testing::{Folder, call};

#[test]
fn tables_views_and_indexes_are_described() {
    let folder = Folder::with(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'x', twice AS (id * 2));
         CREATE UNIQUE INDEX by_name ON users (name, lower(name));
         CREATE VIEW names AS SELECT name FROM users;
         INSERT INTO users(id, name) VALUES (1, 'a'), (2, 'b');",
    );
    let (result, text) = call(
        "schema",
        &json!({"database": folder.path("db")}),
        &Call::default(),
    )
    .unwrap();
    assert_eq!(
        result,
        json!({"truncated": false, "tables": [
            {"name": "names", "type": "view", "columns": [{"name": "name", "type": "TEXT", "not_null": false, "primary_key": 0}], "indexes": []},
            {"name": "users", "type": "table", "row_count": 2,
             "columns": [
                {"name": "id", "type": "INTEGER", "not_null": false, "primary_key": 1},
                {"name": "name", "type": "TEXT", "not_null": true, "primary_key": 0, "default": "'x'"},
                {"name": "twice", "type": "", "not_null": false, "primary_key": 0},
             ],
             "indexes": [{"name": "by_name", "unique": true, "columns": ["name", null]}]},
        ]})
    );
    assert_eq!(
        text,
        "view names: name TEXT\ntable users, 2 rows: id INTEGER, name TEXT, twice\n  unique index by_name: name, (expression)"
    );
}

#[test]
fn many_tables_come_in_parts_and_strange_names_are_no_trouble() {
    let tables: String = (0..12)
        .map(|number| format!("CREATE TABLE \"t{number:02} \"\"';--\" (\"a\"\"b\" TEXT);"))
        .collect();
    let folder = Folder::with(&tables);
    let (result, _) = call(
        "schema",
        &json!({"database": folder.path("db"), "max_tables": 5, "skip": 5}),
        &Call::default(),
    )
    .unwrap();
    assert_eq!(result["tables"][0]["name"], "t05 \"';--");
    assert_eq!(
        (
            &result["tables"][0]["columns"][0]["name"],
            &result["truncated"]
        ),
        (&json!("a\"b"), &json!(true))
    );
    let (result, _) = call(
        "schema",
        &json!({"database": folder.path("db"), "row_counts": false}),
        &Call::default(),
    )
    .unwrap();
    assert_eq!(result["tables"][0].get("row_count"), None);
}

#[test]
fn files_are_described_too() {
    let folder = Folder::new();
    folder.write("a.csv", b"id,name,score\n1,Ada,1.5\n2,Bob,\n");
    let arguments = json!({"tables": [{"name": "a", "path": folder.path("a.csv")}]});
    let (_, text) = call("schema", &arguments, &Call::default()).unwrap();
    assert_eq!(text, "table a, 2 rows: id INTEGER, name TEXT, score REAL");
}
