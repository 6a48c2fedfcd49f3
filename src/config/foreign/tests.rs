//! Texts as other programs write them.

use std::path::Path;

use super::*;
use crate::config::schema::{McpProtocol, McpRun, McpValue};

fn read(name: &str, text: &str) -> Vec<ForeignServer> {
    ForeignFile::read(Path::new(name), text, None, false)
        .expect("read")
        .servers
}

fn named<'a>(servers: &'a [ForeignServer], name: &str) -> &'a ForeignServer {
    let found = servers.iter().find(|server| server.given == name);
    found.expect("it is there")
}

/// What a variable or header became: `=text`, `$VARIABLE`.
fn value(value: Option<&McpValue>) -> String {
    match value {
        Some(McpValue::Text(text)) => format!("={text}"),
        Some(McpValue::Source(source)) => format!("${}", source.env.clone().unwrap_or_default()),
        None => "nothing".to_owned(),
    }
}

fn env(server: &ForeignServer, name: &str) -> String {
    value(server.declared.env.get(name))
}

fn notes(server: &ForeignServer) -> String {
    server.notes.join("\n")
}

const CLAUDE: &str = r#"{
  "numStartups": 12, "tipsHistory": {"a": 1},
  "mcpServers": {
    "github": {
      "type": "stdio", "command": "npx", "args": ["-y", "@modelcontextprotocol/server-github"],
      "env": {"GITHUB_PERSONAL_ACCESS_TOKEN": "ghp_s3cret", "LOG": "info", "PORT": 8, "API": "${API_URL:-https://x}"}
    },
    "filesystem": {"command": "/opt/fs/server", "args": ["/home/me/notes", "--depth", "3"]},
    "tracker": {"type": "http", "url": "https://mcp.example/mcp", "headers": {"Authorization": "Bearer ${TRACKER}", "X-Team": "blue"}},
    "old": {"type": "sse", "url": "https://old.example/sse?api_key=s3cret"},
    "in_docker": {"command": "docker", "args": ["run", "-i", "--rm", "-e", "TOKEN", "-v", "/srv:/data:ro",
      "--mount", "type=bind,src=/home/me/out,dst=/out", "--entrypoint", "node", "mcp/fetch:1", "index.js"]},
    "broken": {"command": "x", "args": "y"},
    "nothing": {"type": "stdio"},
    "worse": 5
  },
  "projects": {"/home/me/work": {"allowedTools": [], "mcpServers": {"db": {"command": "db", "args": ["--password", "hunter2", "${workspaceFolder}"]}}}}
}"#;

#[test]
fn claude() {
    let servers = read("/home/me/.claude.json", CLAUDE);
    let github = named(&servers, "github");
    assert_eq!(github.key, "mcpServers.github");
    assert_eq!(github.declared.command.as_ref().map(Vec::len), Some(3));
    assert_eq!(
        env(github, "GITHUB_PERSONAL_ACCESS_TOKEN"),
        "$GITHUB_PERSONAL_ACCESS_TOKEN"
    );
    assert_eq!(env(github, "LOG"), "=info");
    assert_eq!(env(github, "PORT"), "=8");
    assert_eq!(env(github, "API"), "$API_URL");
    assert!(notes(github).contains("--env-file GITHUB_PERSONAL_ACCESS_TOKEN=FILE"));
    assert!(notes(github).contains("`npx` fetches"));
    assert!(
        github
            .could
            .iter()
            .any(|could| could.contains("every file"))
    );
    let filesystem = named(&servers, "filesystem");
    assert_eq!(filesystem.proposed, ["file_read=/home/me/notes"]);
    assert_eq!(filesystem.declared.allow, Vec::<String>::new());
    let tracker = named(&servers, "tracker");
    let header = value(tracker.declared.headers.get("Authorization"));
    assert_eq!(header, "$MCP_TRACKER_AUTHORIZATION");
    assert_eq!(value(tracker.declared.headers.get("X-Team")), "=blue");
    let old = named(&servers, "old");
    assert_eq!(old.declared.protocol, Some(McpProtocol::Sse));
    assert!(notes(old).contains("may have a secret"));
    let docker = named(&servers, "in_docker");
    assert_eq!(docker.unusable, None);
    assert_eq!(docker.declared.run, Some(McpRun::Container));
    assert_eq!(docker.declared.image.as_deref(), Some("mcp/fetch:1"));
    assert_eq!(
        docker.declared.command.as_deref(),
        Some(&["node".to_owned(), "index.js".to_owned()][..])
    );
    assert_eq!(env(docker, "TOKEN"), "$TOKEN");
    let expected = [
        "file_read=/srv:/data",
        "file_read=/home/me/out:/out",
        "file_write=/home/me/out:/out",
    ];
    assert_eq!(docker.proposed, expected);
    for (name, why) in [
        ("broken", "`args`"),
        ("nothing", "neither"),
        ("worse", "not a table"),
    ] {
        let unusable = named(&servers, name).unusable.clone().unwrap_or_default();
        assert!(unusable.contains(why), "{name}: {unusable}");
    }
    let db = named(&servers, "db");
    assert!(notes(db).contains("/home/me/work") && notes(db).contains("argument may be a secret"));
    assert!(db.unusable.is_some());
    // Nothing that is told of them has a secret in it.
    let told: Vec<String> = servers
        .iter()
        .flat_map(|server| server.notes.iter().chain(&server.could).cloned())
        .collect();
    assert!(!told.join(" ").contains("s3cret"));
}

#[test]
fn secrets_are_copied_where_that_is_wanted_and_said() {
    let file = ForeignFile::read(Path::new("a.json"), CLAUDE, None, true).expect("read");
    let github = named(&file.servers, "github");
    assert_eq!(env(github, "GITHUB_PERSONAL_ACCESS_TOKEN"), "=ghp_s3cret");
    assert!(notes(github).contains("is copied"), "{:?}", github.notes);
}

#[test]
fn vscode() {
    let text = r#"{
  // What is asked for.
  "inputs": [{"type": "promptString", "id": "perplexity-key", "description": "Perplexity API Key", "password": true}],
  "servers": {
    "Perplexity": {"type": "stdio", "command": "npx", "args": ["-y", "server-perplexity-ask"],
      "env": {"PERPLEXITY_API_KEY": "${input:perplexity-key}", "HOME_DIR": "${userHome}/x"}, "envFile": "${workspaceFolder}/.env"},
    "remote": {"type": "http", "url": "https://api.example/mcp", "headers": {"Authorization": "${input:perplexity-key}"},},
  },
}"#;
    let servers = read("mcp.json", text);
    let perplexity = named(&servers, "Perplexity");
    assert_eq!(env(perplexity, "PERPLEXITY_API_KEY"), "$PERPLEXITY_API_KEY");
    assert_eq!(env(perplexity, "HOME_DIR"), "$HOME_DIR");
    assert!(
        notes(perplexity).contains("Perplexity API Key"),
        "{}",
        notes(perplexity)
    );
    assert!(notes(perplexity).contains("variables of the file"));
    let remote = named(&servers, "remote");
    assert_eq!(
        value(remote.declared.headers.get("Authorization")),
        "$MCP_REMOTE_AUTHORIZATION"
    );
    let settings = r#"{"editor.fontSize": 12, "mcp": {"servers": {"a": {"command": "b"}}}}"#;
    assert_eq!(read("settings.json", settings)[0].key, "mcp.servers.a");
}

#[test]
fn codex() {
    let text = r#"
model = "gpt-5"
[projects."/home/me"]
trust_level = "trusted"
[mcp_servers.context7]
command = "context7-mcp"
args = ["--stdio"]
env = { CONTEXT7_API_KEY = "s3cret", REGION = "eu" }
env_vars = ["LOCAL_TOKEN"]
enabled_tools = ["search"]
startup_timeout_sec = 20
[mcp_servers.figma]
url = "https://mcp.figma.example/mcp"
bearer_token_env_var = "FIGMA_OAUTH_TOKEN"
http_headers = { "X-Figma-Region" = "us-east-1" }
env_http_headers = { "X-Key" = "FIGMA_KEY" }
enabled = false
"#;
    let servers = read("/home/me/.codex/config.toml", text);
    let context7 = named(&servers, "context7");
    assert_eq!(env(context7, "CONTEXT7_API_KEY"), "$CONTEXT7_API_KEY");
    assert_eq!(env(context7, "REGION"), "=eu");
    assert_eq!(env(context7, "LOCAL_TOKEN"), "$LOCAL_TOKEN");
    assert_eq!(
        context7.declared.tools.as_deref(),
        Some(&["search".to_owned()][..])
    );
    assert_eq!(context7.declared.start_timeout.as_deref(), Some("20s"));
    let figma = named(&servers, "figma");
    let headers = &figma.declared.headers;
    assert_eq!(
        value(headers.get("Authorization")),
        "$MCP_FIGMA_AUTHORIZATION"
    );
    assert_eq!(value(headers.get("X-Figma-Region")), "=us-east-1");
    assert_eq!(value(headers.get("X-Key")), "$FIGMA_KEY");
    assert!(notes(figma).contains("FIGMA_OAUTH_TOKEN"));
    assert_eq!(figma.declared.enabled, Some(false));
}

const CATALOG: &str = r#"
version: 2
name: docker-mcp
displayName: Docker MCP Catalog
registry:
  github:
    description: Tools for GitHub [beta
    title: GitHub
    type: server
    image: mcp/github@sha256:aa
    secrets:
      - name: github.personal_access_token
        env: GITHUB_PERSONAL_ACCESS_TOKEN
        example: <TOKEN>
    allowHosts:
      - api.github.com:443
  filesystem:
    title: Filesystem
    image: mcp/filesystem@sha256:bb
    command:
      - '{{filesystem.paths|volume-target|into}}'
    volumes:
      - '{{filesystem.paths|volume|into}}'
      - /srv/data:/data
    env:
      - name: MODE
        value: strict
    disableNetwork: true
  linear:
    title: Linear
    type: remote
    remote:
      transport_type: sse
      url: https://mcp.linear.example/sse
"#;

#[test]
fn docker() {
    let servers = read("docker-mcp.yaml", CATALOG);
    let github = named(&servers, "github");
    assert_eq!(
        env(github, "GITHUB_PERSONAL_ACCESS_TOKEN"),
        "$GITHUB_PERSONAL_ACCESS_TOKEN"
    );
    assert_eq!(github.proposed, ["network_http=api.github.com"]);
    assert_eq!(github.could, ["reach api.github.com:443"]);
    // Nobody knows what an image starts without asking whoever has it.
    let why = github.unusable.clone().unwrap_or_default();
    assert!(
        why.contains("docker image inspect") && why.contains("mcp/github@sha256:aa"),
        "{why}"
    );
    let filesystem = named(&servers, "filesystem");
    assert_eq!(env(filesystem, "MODE"), "=strict");
    assert_eq!(filesystem.could[0], "reach no host");
    assert_eq!(
        filesystem.proposed,
        ["file_read=/srv/data:/data", "file_write=/srv/data:/data"]
    );
    let linear = named(&servers, "linear");
    assert_eq!(linear.unusable, None);
    assert_eq!(
        linear.declared.url.as_deref(),
        Some("https://mcp.linear.example/sse")
    );
    // A registry has only names.
    let registry = "registry:\n  github:\n    ref: \"\"\n";
    assert!(read("registry.yaml", registry).is_empty());
    let tree = Document::from_yaml(registry).expect("YAML").to_json();
    let on = docker::switched_on(&tree).expect("a registry");
    assert_eq!(on.into_iter().collect::<Vec<_>>(), ["github"]);
}

#[test]
fn a_catalog_of_its_usual_size_is_read_and_one_that_nests_is_not() {
    let mut text = CATALOG.to_owned();
    for number in 0..2000 {
        text.push_str(&format!(
            "  s{number}:\n    title: Number {number}\n    image: mcp/s{number}\n    description: {}\n",
            "words ".repeat(20)
        ));
    }
    let refused = ForeignFile::read(Path::new("c.yaml"), &text, None, false).expect_err("too many");
    assert!(refused.to_string().contains("more than 1000"), "{refused}");
    let fewer: String = text
        .lines()
        .take(3000)
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(fewer.len() > 100_000);
    assert!(read("c.yaml", &fewer).len() > 500);
    let nested = format!("{fewer}  deep: {}", "[".repeat(100_000));
    let refused =
        ForeignFile::read(Path::new("c.yaml"), &nested, None, false).expect_err("refused");
    assert!(refused.to_string().contains("c.yaml:3001"), "{refused}");
}

#[test]
fn toolhive() {
    let text = r#"{
  "schema_version": "v0.1.0", "image": "ghcr.io/stacklok/fetch:1", "cmd_args": ["--stdio"], "name": "fetch",
  "transport": "stdio", "host": "127.0.0.1", "port": 31000, "target_port": 8080,
  "permission_profile": {"read": ["/home/me/docs:/docs"], "write": ["/home/me/out"],
    "network": {"outbound": {"allow_host": [".github.com", "api.example"], "allow_port": [443]}}},
  "env_vars": {"MODE": "fast", "MCP_TRANSPORT": "stdio"}, "secrets": ["github,target=GITHUB_TOKEN"],
  "volumes": ["/srv:/srv:ro"]
}"#;
    let servers = read("fetch.json", text);
    let fetch = named(&servers, "fetch");
    assert_eq!(env(fetch, "MODE"), "=fast");
    assert_eq!(env(fetch, "GITHUB_TOKEN"), "$GITHUB_TOKEN");
    assert_eq!(
        fetch.proposed,
        [
            "file_read=/home/me/docs:/docs",
            "file_read=/home/me/out:/home/me/out",
            "file_write=/home/me/out:/home/me/out",
            "network_http=*.github.com",
            "network_http=api.example",
            "file_read=/srv:/srv",
        ]
    );
    assert!(fetch.unusable.is_some());
    let http = text.replace(
        "\"transport\": \"stdio\"",
        "\"transport\": \"streamable-http\"",
    );
    let why = read("fetch.json", &http)[0]
        .unusable
        .clone()
        .unwrap_or_default();
    assert!(why.contains("port 8080"), "{why}");
    let remote =
        r#"{"remote_url": "https://mcp.example/mcp", "name": "r", "transport": "streamable-http"}"#;
    let servers = read("r.json", remote);
    assert_eq!(
        servers[0].declared.url.as_deref(),
        Some("https://mcp.example/mcp")
    );
    assert_eq!(servers[0].unusable, None);
}

#[test]
fn what_is_no_configuration_is_told_with_its_place() {
    for (name, text, expected) in [
        ("a.json", "{\n \"mcpServers\": {,}\n}", "a.json:2:"),
        (
            "a.json",
            "{\"mcpServers\": []}",
            "a.json: mcpServers: expected a table",
        ),
        ("a.json", "[1, 2]", "is not the configuration of a program"),
        ("a.json", "{\"a\": 1}", "--from"),
        ("a.toml", "a = \n", "a.toml:1:"),
        ("a.yaml", "a: [\n", "not valid YAML"),
        ("a.yaml", "registry: 5\n", "registry: expected"),
        ("a.json", &"[".repeat(1000), "a.json:1:"),
    ] {
        let error = ForeignFile::read(Path::new(name), text, None, false).expect_err("refused");
        let told = format!("{error} {:?}", error.hints());
        assert!(told.contains(expected), "{text}: {told}");
    }
}

#[test]
fn names_become_kebab_case() {
    for (given, expected) in [
        ("github", Some("github")),
        ("My Server_2", Some("my-server-2")),
        ("brave.search/v1", Some("brave-search-v1")),
        ("sequentialThinking", Some("sequentialthinking")),
        ("GitHub", Some("github")),
        ("7zip", Some("mcp-7zip")),
        ("sandbox", Some("sandbox-mcp")),
        ("--x--", Some("x")),
        ("größer", Some("gr-er")),
        ("日本", None),
        ("", None),
    ] {
        assert_eq!(kebab_case(given).as_deref(), expected, "{given}");
    }
    let long = kebab_case(&"a-".repeat(100)).expect("a name");
    assert!(long.len() <= 56 && long.parse::<crate::ids::PluginName>().is_ok());
}

#[test]
fn secrets_among_arguments_are_masked() {
    let arguments = [
        "--api-key",
        "a",
        "--token=b",
        "-v",
        "sk-c",
        "https://u:p@h/",
        "plain",
    ];
    let arguments = arguments.map(str::to_owned);
    let expected = ["--api-key", "…", "--token=…", "-v", "…", "…", "plain"];
    assert_eq!(masked(&arguments), expected);
}

#[test]
fn what_another_program_puts_into_texts_is_told_from_what_a_shell_does() {
    for (text, is_reference) in [
        ("${HOME}/x", true),
        ("${env:HOME}", true),
        ("a ${input:key}", true),
        ("${A:-b c}", true),
        ("{{fs.paths|volume}}", true),
        ("${line#*x}", false),
        ("${", false),
        ("${}", false),
        ("$HOME", false),
    ] {
        assert_eq!(secret::has_reference(text), is_reference, "{text}");
    }
}
