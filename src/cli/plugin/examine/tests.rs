use serde_json::json;

use super::*;

fn rules(findings: &Findings) -> Vec<(&'static str, Severity)> {
    findings
        .sorted()
        .iter()
        .map(|finding| (finding.rule.id(), finding.severity))
        .collect()
}

#[test]
fn names_that_agents_take() {
    for good in ["read", "read_file", "A-1", &"x".repeat(64)] {
        assert!(tools::is_usable_name(good), "{good}");
    }
    for bad in ["", "a.b", "a b", "é", &"x".repeat(65)] {
        assert!(!tools::is_usable_name(bad), "{bad}");
    }
}

#[test]
fn every_flaw_of_a_tool_is_told() {
    let flawed = Seen {
        name: "a.b".to_owned(),
        description: " ".to_owned(),
        input: Some(json!({"type": "array"})),
        output: Some(json!({"type": "object", "properties": 1})),
    };
    let mut findings = Findings::default();
    tools::check(&[flawed], true, &mut findings);
    assert_eq!(
        rules(&findings),
        [
            ("input-schema", Severity::Error),
            ("output-schema", Severity::Error),
            ("tool-name", Severity::Warning),
            ("tool-description", Severity::Warning),
        ]
    );
    let sound = Seen {
        name: "read".to_owned(),
        description: "Reads.".to_owned(),
        input: Some(json!({"type": "object"})),
        output: Some(json!({"type": "object"})),
    };
    let mut findings = Findings::default();
    tools::check(&[sound], true, &mut findings);
    assert_eq!(rules(&findings), []);
    tools::check(&[], true, &mut findings);
    assert_eq!(rules(&findings), [("no-tools", Severity::Error)]);
}

#[test]
fn the_manifest_and_the_component_list_the_same_tools() {
    let described = |name: &str| DescribedTool {
        name: name.to_owned(),
        title: None,
        description: "Does it.".to_owned(),
        input_schema: "{\"type\": \"object\"}".to_owned(),
        output_schema: None,
    };
    let manifest = crate::manifest::parse_toml(
        "schema = 1\nname = \"x\"\nversion = \"1.0.0\"\n[[tools]]\nname = \"raed\"\n[[tools]]\nname = \"list\"\n\
         input_schema = { type = \"object\", minProperties = 1 }\n",
        "plugin.toml",
    )
    .expect("valid");
    let mut findings = Findings::default();
    let seen = of_plugin(
        &[described("read"), described("list"), described("list")],
        &manifest.tools,
        &mut findings,
    );
    assert_eq!(seen.len(), 2);
    let messages: Vec<&str> = findings
        .sorted()
        .iter()
        .map(|finding| finding.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "the manifest lists the tool \"raed\", which the component does not have",
            "the component has the tool \"read\", which the manifest does not list",
            "the component describes two tools named \"list\"",
            "the manifest gives \"list\" another input schema than the component does",
        ]
    );
    assert_eq!(
        findings
            .sorted()
            .first()
            .map(|finding| finding.fix.as_str()),
        Some("Did you mean \"read\"?")
    );
    let mut findings = Findings::default();
    of_plugin(&[described("read")], &[], &mut findings);
    assert_eq!(rules(&findings), []);
}
