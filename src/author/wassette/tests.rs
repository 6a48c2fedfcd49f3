use super::*;

fn permissions(yaml: &str) -> (String, Vec<String>) {
    let imported = read(yaml, "policy.yaml").expect("read");
    (imported.amend("").expect("written"), imported.left_out)
}

#[test]
fn a_policy_becomes_requests() {
    let (toml, left_out) = permissions(
        "version: \"1.0\"\ndescription: x\npermissions:\n  storage:\n    allow:\n      - uri: \"fs:///srv/data/**\"\n        \
         access: [\"read\", \"write\"]\n      - uri: \"fs://drafts\"\n        access: [\"read\"]\n  network:\n    allow:\n      \
         - host: \"api.example.com\"\n      - host: \"https://other.example.com/\"\n      - host: \"*.example.org\"\n  \
         environment:\n    allow:\n      - key: \"API_KEY\"\n",
    );
    assert_eq!(left_out, Vec::<String>::new());
    let manifest = format!("schema = 1\nname = \"x\"\nversion = \"1.0.0\"\n{toml}");
    crate::manifest::parse_toml(&manifest, "plugin.toml").expect("a manifest takes it");
    for part in [
        "file_read = [{ path = \"/srv/data\", mount = \"/srv/data\" }, { path = \"${workspace}/drafts\", mount = \"/drafts\" }]",
        "file_write = [{ path = \"/srv/data\", mount = \"/srv/data\" }]",
        "{ host = \"api.example.com\" }",
        "{ host = \"other.example.com\", scheme = \"https\" }",
        "{ host = \"*.example.org\" }",
        "env = [\"API_KEY\"]",
    ] {
        assert!(toml.contains(part), "{part}\n{toml}");
    }
}

#[test]
fn what_cannot_be_said_is_left_out_and_told() {
    let (toml, left_out) = permissions(
        "permissions:\n  storage:\n    allow:\n      - uri: \"fs://work/*/data\"\n        access: [read]\n      - uri: \"fs://../etc\"\n        \
         access: [read]\n      - uri: \"s3://bucket\"\n        access: [read]\n      - uri: \"fs://a\"\n        access: [execute]\n    deny:\n      - uri: \"fs://b\"\n        access: [read]\n  \
         network:\n    allow:\n      - cidr: \"10.0.0.0/8\"\n      - defaults: true\n      - host: \"bad host!\"\n  resources:\n    limits:\n      cpu: \"500m\"\n  \
         runtime:\n    docker: {}\n  ipc:\n    allow: []\n",
    );
    assert_eq!(toml, "", "nothing of it is widened into a request");
    assert_eq!(left_out.len(), 11, "{left_out:#?}");
}

#[test]
fn memory_is_a_limit() {
    for (written, expected) in [
        ("limits: { memory: \"512Mi\" }", Some("512MiB")),
        ("memory: 1048576", Some("1MiB")),
        ("memory: \"lots\"", None),
    ] {
        let imported = read(
            &format!("permissions:\n  resources: {{ {written} }}\n"),
            "p.yaml",
        )
        .expect("read");
        assert_eq!(imported.memory(), expected, "{written}");
    }
}

#[test]
fn what_is_no_policy_is_an_error() {
    for text in [
        "permissions: 3",
        "permissions:\n  storage:\n    allow:\n      - access: [read]",
        "- a",
        "\u{0}",
        "a: *b",
    ] {
        assert_eq!(read(text, "p.yaml").expect_err(text).code(), Code::E3105);
    }
}
