//! probe
guest::export!(&[guest::Tool { name: "probe", description: "x", input_schema: "{}", output_schema: "{}", run: |a| guest::run(a, |s: String| { guest::log(guest::Level::Info, "hi"); guest::progress(1,2,"x"); std::fs::read_to_string(&s).map(|s| (s, String::new())).map_err(|e| guest::ToolError::io("read", s.as_ref(), &e)) }) }]);
