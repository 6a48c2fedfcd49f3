//! Manifests in every right and wrong shape, from `tests/fixtures/manifests`, and what must hold for all of them.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::permission::{Kind, Request};

mod generate;

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/manifests")
        .join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the fixtures are there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "txt"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files
}

fn parse(path: &Path) -> Result<Manifest> {
    let text = fsx::read_text(path, 1 << 20).expect("readable");
    let name = path
        .file_name()
        .expect("a file")
        .to_string_lossy()
        .into_owned();
    if name.ends_with(".yaml") {
        parse_yaml(&text, &name)
    } else {
        parse_toml(&text, &name)
    }
}

fn variables() -> Variables {
    Variables {
        workspace: "/home/me/project".into(),
        home: Some("/home/me".into()),
    }
}

fn requests(text: &str) -> Vec<Request> {
    let text = format!("schema = 1\nname = 'x'\nversion = '1.0.0'\n{text}");
    let manifest = parse_toml(&text, "plugin.toml").expect("valid");
    manifest.requests(&variables()).expect("can be filled in")
}

#[test]
fn every_valid_fixture_is_read_and_written_back() {
    for path in fixtures("valid") {
        let manifest = parse(&path).unwrap_or_else(|error| panic!("{error}"));
        let toml = to_toml(&manifest);
        let again = parse_toml(&toml, "written").unwrap_or_else(|error| panic!("{error}\n{toml}"));
        assert_eq!(again, manifest, "{}\n{toml}", path.display());
        assert!(
            manifest.requests(&variables()).is_ok(),
            "{}",
            path.display()
        );
    }
}

#[test]
fn every_invalid_fixture_is_refused_with_its_text() {
    for path in fixtures("invalid") {
        let error = parse(&path).expect_err(&path.display().to_string());
        assert_eq!(error.code(), Code::E3105);
        let expected = fsx::read_text(&path.with_added_extension("txt"), 1 << 20)
            .unwrap_or_else(|missing| panic!("{missing}; it should hold:\n{error}"));
        assert_eq!(
            error.to_string().trim_end(),
            expected.trim_end(),
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_file_is_read_by_its_name() {
    let folder = tempfile::tempdir().expect("folder");
    for (name, text) in [
        ("plugin.toml", "schema = 1\nname = 'x'\nversion = '1.0.0'"),
        ("plugin.yaml", "name: x\nversion: 1.0.0"),
        ("plugin.yml", "name: x\nversion: 1.0.0"),
    ] {
        let path = folder.path().join(name);
        fsx::write_atomic(&path, text.as_bytes(), 0o600).expect("written");
        assert_eq!(read_file(&path).expect("valid").name.as_str(), "x");
    }
    let path = folder.path().join("plugin.toml");
    fsx::write_atomic(&path, b"schema = 1\nname = '\xff'", 0o600).expect("written");
    let error = read_file(&path).expect_err("not UTF-8");
    assert!(
        error.to_string().contains("byte 19 is not UTF-8"),
        "{error}"
    );
    fsx::write_atomic(&path, &vec![b'#'; document::MAX_BYTES + 1], 0o600).expect("written");
    let error = read_file(&path).expect_err("too large");
    assert!(
        error.to_string().contains("larger than 1048576 bytes"),
        "{error}"
    );
}

#[test]
fn the_older_form_becomes_the_new_one_with_a_word_on_what_is_broad() {
    let path = fixtures("valid")
        .into_iter()
        .find(|path| path.ends_with("older.yaml"));
    let manifest = parse(&path.expect("there")).expect("valid");
    let expected = r#"schema = 1
name = "my-plugin"
version = "1.0.0"
description = "My custom plugin"
authors = ["John Doe"]

[dependencies]
base-plugin = ">=1.0.0"
helper-lib = "^2.0.0"

[[tools]]
name = "analyze-code"
description = "Analyze code quality"

[tools.input_schema]
type = "object"

[tools.input_schema.properties]
code = { type = "string" }
language = { type = "string" }

[tools.output_schema]
type = "object"

[tools.output_schema.properties]
issues = { type = "array" }
score = { type = "number" }

[permissions]
# This asks for all of file_read. Name what is needed, such as "/home/me/project".
file_read = ["*"]
# This asks for all of network_http. Name what is needed, such as "https://api.github.com/repos/**;methods=GET".
network_http = ["*"]

[limits]
timeout = "30s"

[config]
PLUGIN_DEBUG = "false"
"#;
    assert_eq!(to_toml(&manifest), expected);
    let requests = manifest.requests(&variables()).expect("no variables");
    assert!(
        requests
            .iter()
            .all(|request| request.broad && !request.optional),
        "{requests:?}"
    );
    let kinds: Vec<Kind> = requests.iter().map(|request| request.kind).collect();
    assert_eq!(kinds, [Kind::FileRead, Kind::NetworkHttp]);
}

#[test]
fn variables_in_paths_are_filled_in_and_mounts_kept() {
    let found = requests(
        "[permissions]\nfile_read = ['${workspace}', '${home}/a b', '/etc/hosts', { path = '${workspace}/x/', mount = '/x' }]\n\
         [permissions.optional]\nfile_write = ['${workspace}/out']",
    );
    let list: Vec<String> = found
        .iter()
        .map(|request| {
            let mount = request.mount.as_deref().unwrap_or("-");
            format!(
                "{} {} {mount} {}",
                request.kind, request.capabilities[0], request.optional
            )
        })
        .collect();
    assert_eq!(
        list,
        [
            "file_read /home/me/project - false",
            "file_read /home/me/a b - false",
            "file_read /etc/hosts - false",
            "file_read /home/me/project/x /x false",
            "file_write /home/me/project/out - true",
        ]
    );
    let manifest = parse_toml(
        "schema = 1\nname = 'x'\nversion = '1.0.0'\npermissions.file_read = ['${home}/x']",
        "plugin.toml",
    );
    let homeless = Variables {
        home: None,
        ..variables()
    };
    let error = manifest
        .expect("valid")
        .requests(&homeless)
        .expect_err("no home");
    assert_eq!(error.code(), Code::E3004);
    assert!(error.to_string().contains("${home}/x"), "{error}");
}

#[test]
fn one_entry_with_alternatives_is_one_request() {
    let found = requests(
        "[permissions]\nnetwork_http = [{ host = 'example.org', scheme = 'https', methods = ['GET'], paths = ['/a/*', '/b'] }]\n\
         secrets = [{ name = 'T', inject = { host = 'example.org' }, reveal = true }]",
    );
    let texts: Vec<Vec<String>> = found
        .iter()
        .map(|request| {
            request
                .capabilities
                .iter()
                .map(ToString::to_string)
                .collect()
        })
        .collect();
    assert_eq!(
        texts,
        [
            vec![
                "https://example.org/a/*;methods=GET",
                "https://example.org/b;methods=GET"
            ],
            vec!["T;reveal", "T;host=example.org"],
        ]
    );
}

#[test]
fn everything_a_permission_module_suggests_can_be_written_here() {
    for (kind, scope) in [
        (Kind::FileRead, "/home/me/project"),
        (
            Kind::NetworkHttp,
            "https://api.github.com/repos/**;methods=GET",
        ),
        (Kind::NetworkHttp, "http://localhost:8080"),
        (Kind::NetworkHttp, "example.com:*;private"),
        (Kind::NetworkTcp, "db.example.com:5432"),
        (Kind::NetworkUdp, "time.example.com:123"),
        (Kind::Env, "LANG"),
        (
            Kind::Secrets,
            "GITHUB_TOKEN;host=api.github.com;header=authorization",
        ),
        (Kind::Secrets, "GITHUB_TOKEN;reveal"),
        (
            Kind::Subprocess,
            "image:docker.io/library/alpine:latest;command:grep",
        ),
        (Kind::ToolInvoke, "files.read"),
        (Kind::State, "1MiB"),
        (Kind::Documents, "notes/*"),
        (Kind::Checkpoint, "on"),
    ] {
        let capability = crate::permission::Capability::parse(kind, scope).expect(scope);
        let line = capability.manifest_line().expect(scope);
        let found = requests(&format!("[permissions]\n{line}"));
        assert_eq!(found[0].capabilities, [capability], "{line}");
    }
}

#[test]
fn the_schema_takes_what_the_reader_takes() {
    let validator = jsonschema::validator_for(&manifest_schema()).expect("a valid schema");
    for path in fixtures("valid") {
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let text = fsx::read_text(&path, 1 << 20).expect("readable");
            let json = Document::from_toml(&text).expect("TOML").to_json();
            assert!(validator.is_valid(&json), "{}", path.display());
        }
    }
    assert!(!validator.is_valid(&json!({"schema": 1, "name": "x"})));
}

proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = parse_toml(&text, "x");
        let _ = parse_yaml(&text, "x");
    }

    #[test]
    fn no_toml_makes_the_reader_panic(text in generate::toml_like()) {
        let _ = parse_toml(&text, "x");
    }

    #[test]
    fn what_is_written_reads_back_the_same(manifest in generate::manifest()) {
        let text = to_toml(&manifest);
        match parse_toml(&text, "written") {
            Ok(read) => prop_assert_eq!(read, manifest, "{}", text),
            Err(error) => prop_assert!(false, "{}\n{}", error, text),
        }
    }

    #[test]
    fn a_changed_manifest_is_refused_with_the_place_or_is_valid(at in 0_usize..1400, with in "[ -~\n]{0,4}") {
        let path = fixtures("valid").into_iter().find(|path| path.ends_with("analyze-code.toml"));
        let mut text = fsx::read_text(&path.expect("there"), 1 << 20).expect("readable");
        let at = at.min(text.len() - 1);
        text.replace_range(at..=at, &with);
        if let Err(error) = parse_toml(&text, "plugin.toml") {
            prop_assert!(error.to_string().starts_with("plugin.toml"), "{}", error);
        }
    }
}

#[test]
fn a_text_with_very_many_problems_is_refused_quickly() {
    let head = "schema = 1\nname = 'x'\nversion = '1.0.0'\n";
    let keys: String = (0..20_000).map(|n| format!("key{n} = 1\n")).collect();
    let values = format!("permissions.env = [{}]", "'a b',".repeat(40_000));
    let tools = "[[tools]]\nname = 'T'\n".repeat(10_000);
    for body in [keys, values, tools] {
        let start = std::time::Instant::now();
        let error = parse_toml(&format!("{head}{body}"), "x").expect_err("refused");
        assert!(
            error.to_string().contains("more than 50 problems"),
            "{error}"
        );
        // A second would be enough a hundred times over; without the cap each would take far longer.
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }
}
