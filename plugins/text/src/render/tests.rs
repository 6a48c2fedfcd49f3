use proptest::prelude::*;
use serde_json::json;
use toolhatch_plugin::ToolError;

use crate::testing::call;

#[test]
fn values_are_put_in() {
    for (more, text) in [
        (
            json!({"template": "{{ a }} {{ b.c|upper }} {% for x in d %}{{ loop.index }}{{ x }}{% endfor %}\n"}),
            "<1> E 1x2y\n",
        ),
        (
            json!({"template": "{{ a }}", "escape": "html"}),
            "&lt;1&gt;",
        ),
        (json!({"template": "{{ a }}", "escape": "json"}), "\"<1>\""),
        (
            json!({"template": "{{ d|tojson }} {{ big }}"}),
            "[\"x\", \"y\"] 18446744073709551615",
        ),
        (json!({"template": "{{ nothing }}!", "lenient": true}), "!"),
        (
            json!({"template": "{% if a %}\n  {% set z = 1 %}\nb\n{% endif %}\n", "trim_blocks": true}),
            "b\n",
        ),
        (
            json!({"template": "{% macro m(x) %}[{{ x }}]{% endmacro %}{{ m(1) }}"}),
            "[1]",
        ),
        (json!({"template": ""}), ""),
    ] {
        let mut arguments = more.clone();
        arguments["data"] = json!({"a": "<1>", "b": {"c": "e"}, "d": ["x", "y"], "big": u64::MAX});
        let (result, shown) = call("render", &arguments).unwrap();
        assert_eq!(result, json!({"text": text}), "{more}");
        assert_eq!(shown, text);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (template, why) in [
        ("a\n{{ b", "line 2"),
        ("{{ missing }}", "line 1 of the template: undefined value"),
        ("\n\n{{ a.b.c }}", "line 3"),
        ("{{ 1|nosuch }}", "unknown filter"),
        ("{% include 'other' %}", "template not found"),
        ("{% extends '/etc/passwd' %}", "template not found"),
        ("{{ 1 / 0 }}", "line 1"),
    ] {
        let error = call("render", &json!({"template": template, "data": {"a": {}}})).unwrap_err();
        assert!(
            matches!(&error, ToolError::InvalidArguments(message) if message.contains(why)),
            "{template}: {error}"
        );
    }
}

#[test]
fn a_template_ends() {
    for (template, why) in [
        (
            "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
            "steps",
        ),
        (
            "{% for a in range(100000) %}{{ 'x' * 1000 }}{% endfor %}",
            "writes more than",
        ),
        (
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "recursion",
        ),
        ("{% include 'template' %}", "recursion"),
        (
            &format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000)),
            "template",
        ),
        (&"{% if true %}".repeat(5000), "template"),
    ] {
        let error = call("render", &json!({"template": template})).unwrap_err();
        assert!(
            error.to_string().contains(why),
            "{}: {error}",
            &template[..20]
        );
    }
}

proptest! {
    #[test]
    fn any_template_is_rendered_or_explained(template in "(\\{\\{|\\}\\}|\\{%|%\\}|\\{#|#\\}| if | for x in a | end|x|a|\\||\\(|\\)|'|é|\n){0,20}") {
        if let Err(error) = call("render", &json!({"template": template, "data": {"a": [1]}, "lenient": true})) {
            prop_assert!(error.to_string().contains("template"), "{error}");
        }
    }
}
