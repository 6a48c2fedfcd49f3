//! A line of arguments, a line that a command printed, and a file of custom tools: reading and filling in never panic, and
//! no argument becomes the program, a flag, or more than was let through.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolhatch::error::Code;
use toolhatch::manifest::container::{Parsed, fill::MAX_COMMAND};
use toolhatch::manifest::{ContainerSpec, custom, parse_toml, to_toml};
use toolhatch::schema::parse_strict;

fn check(spec: &ContainerSpec, arguments: &str, printed: &str) {
    if let Ok(arguments) = parse_strict(arguments) {
        match spec.fill(&arguments) {
            Ok(command) => {
                assert_eq!(command.argv[0], spec.command.program());
                let bytes: usize = command.argv.iter().map(|element| element.len() + 1).sum();
                assert!(bytes <= MAX_COMMAND);
                let mut texts = command
                    .argv
                    .iter()
                    .chain(command.env.iter().map(|(_, it)| it));
                assert!(texts.all(|text| !text.contains('\0')));
            }
            Err(error) => assert_eq!(error.code(), Code::E3301),
        }
    }
    for exit_code in [0, 1, 2, 137, -1] {
        match spec.output.read(exit_code, printed.as_bytes(), b"", false) {
            Parsed::Ok { structured, .. } => assert!(structured.is_object()),
            Parsed::Failed { message, .. } => assert!(!message.is_empty()),
        }
    }
}

fuzz_target!(|text: &str| {
    let mut parts = text.splitn(3, '\n');
    let (Some(arguments), Some(printed), Some(file)) = (parts.next(), parts.next(), parts.next())
    else {
        return;
    };
    let manifest = match custom::parse("fuzz", file) {
        Ok(manifest) => manifest,
        Err(error) => return assert_eq!(error.code(), Code::E3105),
    };
    let again = parse_toml(&to_toml(&manifest), "fuzz").expect("what was written is valid");
    assert_eq!(manifest, again);
    for tool in &manifest.tools {
        let spec = tool.container.as_ref().expect("each has one");
        check(spec, arguments, printed);
    }
});
