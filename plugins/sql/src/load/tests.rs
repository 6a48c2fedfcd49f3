use proptest::prelude::*;
use serde_json::{Value, json};
use toolhatch_plugin::{Call, ToolError};

use super::*;
use crate::testing::{Folder, call};

fn rows(name: &str, data: &[u8], sql: &str) -> Value {
    let folder = Folder::new();
    folder.write(name, data);
    folder.query_file(name, sql, json!({})).unwrap()["rows"].clone()
}

#[test]
fn a_file_of_rows_is_a_table() {
    for (name, data) in [
        ("a.csv", &b"\xef\xbb\xbfid,name,score\r\n1,\"Ada, \"\"L\"\"\",1.5\r\n2,Bob,\r\n\r\n"[..]),
        ("a.tsv", b"id\tname\tscore\n1\tAda, \"L\"\t1.5\n2\tBob\n"),
        ("a.ndjson", b"{\"id\": 1, \"name\": \"Ada, \\\"L\\\"\", \"score\": 1.5}\n\n{\"name\": \"Bob\", \"id\": 2}\n"),
    ] {
        assert_eq!(rows(name, data, "SELECT * FROM t"), json!([[1, "Ada, \"L\"", 1.5], [2, "Bob", null]]), "{name}");
    }
}

#[test]
fn a_column_is_of_the_type_that_all_of_it_has() {
    let data = b"a,b,c,d,e,f\n1,1,007,1,,9223372036854775808\n-2,2.5,12,x,,1\n";
    assert_eq!(
        rows(
            "a.csv",
            data,
            "SELECT a, b, c, d, e, f, typeof(a), typeof(b), typeof(c), typeof(d), typeof(f) FROM t"
        ),
        json!([
            [
                1,
                1.0,
                "007",
                "1",
                null,
                "9223372036854775808",
                "integer",
                "real",
                "text",
                "text",
                "text"
            ],
            [
                -2, 2.5, "12", "x", null, "1", "integer", "real", "text", "text", "text"
            ]
        ])
    );
    let data = b"{\"a\": 9007199254740993, \"b\": 18446744073709551615, \"c\": true, \"d\": [1, {}], \"e\": null}\n";
    assert_eq!(
        rows("a.jsonl", data, "SELECT * FROM t"),
        json!([[
            9_007_199_254_740_993_i64,
            "18446744073709551615",
            1,
            "[1,{}]",
            null
        ]])
    );
    for (text, expected) in [
        ("0", Affinity::Integer),
        ("-7", Affinity::Integer),
        ("0.5", Affinity::Real),
        ("1e3", Affinity::Real),
        ("", Affinity::Unknown),
        ("00", Affinity::Text),
        ("+1", Affinity::Text),
        ("1 ", Affinity::Text),
        ("inf", Affinity::Text),
        ("1e999", Affinity::Text),
        ("NaN", Affinity::Text),
        ("0x10", Affinity::Text),
        (".5", Affinity::Text),
        ("1_000", Affinity::Text),
    ] {
        assert_eq!(affinity(text), expected, "{text}");
    }
}

#[test]
fn names_are_made_usable() {
    let data = b"name,Name,,sum(x),\"a\"\"b\"\n1,2,3,4,5\n";
    let folder = Folder::new();
    folder.write("a.csv", data);
    let result = folder
        .query_file("a.csv", "SELECT * FROM t", json!({}))
        .unwrap();
    let names: Vec<&str> = result["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["name", "Name_2", "column3", "sum(x)", "a\"b"]);
    let result = folder
        .query_file("a.csv", "SELECT column1 FROM t", json!({"header": false}))
        .unwrap();
    assert_eq!(result["row_count"], 2);
    let folder = Folder::new();
    folder.write("a.jsonl", b"{\"a\": 1, \"A\": 2}\n{\"A\": 3}\n");
    assert_eq!(
        folder
            .query_file("a.jsonl", "SELECT a, A_2 FROM t", json!({}))
            .unwrap()["rows"],
        json!([[1, 2], [null, 3]])
    );
}

#[test]
fn files_can_be_joined_with_each_other_and_a_database() {
    let folder = Folder::with(
        "CREATE TABLE c (code TEXT, name TEXT); INSERT INTO c VALUES ('de', 'Germany')",
    );
    folder.write("o.csv", b"code,amount\nde,3\nde,4\n");
    folder.write("x.tsv", b"code\tfactor\nde\t2\n");
    let arguments = json!({
        "database": folder.path("db"),
        "tables": [{"name": "o", "path": folder.path("o.csv")}, {"name": "x", "path": folder.path("x.tsv")}],
        "sql": "SELECT name, sum(amount * factor) FROM o JOIN x USING (code) JOIN c USING (code)"
    });
    let (result, _) = call("query", &arguments, &Call::default()).unwrap();
    assert_eq!(result["rows"], json!([["Germany", 14]]));
    assert_eq!(folder.names(), ["db", "o.csv", "x.tsv"]);
    // What was loaded cannot be changed.
    let folder = Folder::new();
    folder.write("a.csv", b"a\n1\n");
    let error = folder
        .query_file("a.csv", "DELETE FROM t", json!({}))
        .unwrap_err();
    assert!(
        matches!(&error, ToolError::Failed(message) if message.contains("nothing else")),
        "{error}"
    );
}

#[test]
fn what_cannot_be_loaded_is_told_with_its_line() {
    for (name, data, why) in [
        ("a.csv", &b"a,b\n1,2\n1,2,3\n"[..], "line 3 of"),
        ("a.csv", b"a\n\xff\n", "line 2 of"),
        ("a.csv", b"", "has no columns"),
        ("a.csv", &vec![b','; 2000], "has 2001 columns"),
        ("a.jsonl", b"{\"a\": 1}\n[1]\n", "is no object of JSON"),
        ("a.jsonl", b"{\"a\": \n", "is no object of JSON"),
        ("a.jsonl", b"{\"a\": \"\xff\"}\n", "is no object of JSON"),
        ("a.jsonl", b"", "has no columns"),
        ("a.txt", b"a\n", "say it with `format`"),
    ] {
        let folder = Folder::new();
        folder.write(name, data);
        let error = folder
            .query_file(name, "SELECT 1", json!({}))
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
    let folder = Folder::new();
    let error = folder
        .query_file("none.csv", "SELECT 1", json!({}))
        .unwrap_err();
    assert!(matches!(error, ToolError::NotFound(_)), "{error}");
    folder.write("a.csv", b"a\n1\n");
    for name in ["sqlite_x", "a\nb"] {
        let error = folder
            .query_file("a.csv", "SELECT 1", json!({"name": name}))
            .unwrap_err();
        assert!(
            error.to_string().contains("is no name of a table"),
            "{error}"
        );
    }
    let table = json!({"name": "a", "path": folder.path("a.csv")});
    let arguments = json!({"sql": "SELECT 1", "tables": [table, table]});
    assert!(
        call("query", &arguments, &Call::default())
            .unwrap_err()
            .to_string()
            .contains("two tables")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_in_a_csv_comes_out_again(cells in prop::collection::vec(prop::collection::vec("[a-z0-9.\",\n é'-]{0,6}", 3), 1..8)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["a", "b", "c"]).unwrap();
        for row in &cells {
            writer.write_record(row).unwrap();
        }
        let rows = rows("a.csv", &writer.into_inner().unwrap(), "SELECT * FROM t");
        for (row, wanted) in rows.as_array().unwrap().iter().zip(&cells) {
            for (value, wanted) in row.as_array().unwrap().iter().zip(wanted) {
                let is_same = match value {
                    Value::String(text) => text == wanted,
                    Value::Null => wanted.is_empty(),
                    Value::Number(number) => number.as_f64() == wanted.parse().ok(),
                    _ => false,
                };
                prop_assert!(is_same, "{value} was {wanted:?}");
            }
        }
        prop_assert_eq!(rows.as_array().unwrap().len(), cells.len());
    }

    #[test]
    fn any_bytes_are_loaded_or_refused(bytes in any::<Vec<u8>>()) {
        let folder = Folder::new();
        for name in ["a.csv", "a.tsv", "a.jsonl"] {
            folder.write(name, &bytes);
            let _ = folder.query_file(name, "SELECT count(*) FROM t", json!({}));
        }
    }
}
