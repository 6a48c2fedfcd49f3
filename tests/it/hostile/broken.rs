//! Files that are no component, or were one once.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{call, still_works};
use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::probe;

/// Calls every file in one process, and an intact one after them all; gives the answers.
fn call_all(env: &TestEnv, files: &[String]) -> Vec<Value> {
    let mut input: String = files
        .iter()
        .map(|file| {
            format!(
                "{}\n",
                json!({"tool": file, "args": {"a": 1, "b": 2}, "timeout": "2s"})
            )
        })
        .collect();
    env.write("intact.wasm", &guests::component(guests::ADDER));
    input.push_str(&format!(
        "{}\n",
        json!({"tool": "intact.wasm", "args": {"a": 1, "b": 2}})
    ));
    let run = env.run(["call", "--jsonl"]).stdin(input);
    let output = run.timeout(Duration::from_secs(55)).output();
    let mut answers = output.json_lines();
    assert_eq!(answers.len(), files.len() + 1, "{output}");
    let last = answers.pop().expect("the intact one");
    assert_eq!(last["structured"]["result"], 3, "{output}");
    answers
}

/// Asserts that an answer is a result, or an error about the file or the guest, and never one of the host.
#[track_caller]
fn is_typed(answer: &Value, what: &str) {
    if answer["ok"] == true {
        return;
    }
    let code = answer["error"]["code"].as_str().unwrap_or_default();
    let expected = [
        "E3101", "E3105", "E3111", "E3301", "E3402", "E3403", "E3404", "E3407",
    ];
    assert!(expected.contains(&code), "{what}: {answer}");
}

fn save(env: &TestEnv, name: &str, bytes: &[u8]) {
    let mut file = File::create(env.path(name)).expect("created");
    file.write_all(bytes).expect("written");
}

/// Numbers that look random and are the same in every run.
fn numbers(mut seed: u64) -> impl Iterator<Item = u64> {
    std::iter::repeat_with(move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    })
}

#[test]
fn a_component_cut_off_anywhere_is_refused() {
    let env = TestEnv::new();
    let whole = guests::component(guests::ADDER);
    let names: Vec<String> = (0..whole.len())
        .map(|length| {
            let name = format!("cut-{length}.wasm");
            save(&env, &name, &whole[..length]);
            name
        })
        .collect();
    let answers = call_all(&env, &names);
    for (length, answer) in answers.iter().enumerate() {
        // Cut between two sections it can be a component still, with less in it: without its names, or its exports.
        if answer["ok"] == true {
            assert_eq!(answer["structured"]["result"], 3, "{length}: {answer}");
            continue;
        }
        let code = answer["error"]["code"].as_str().unwrap_or_default();
        assert!(["E3105", "E3101"].contains(&code), "{length}: {answer}");
    }
    let refused = answers
        .iter()
        .filter(|answer| answer["ok"] == false)
        .count();
    assert!(
        refused > names.len() * 9 / 10,
        "{refused} of {}",
        names.len()
    );
    still_works(&env);
}

#[test]
fn a_component_with_any_byte_changed_is_refused_or_runs_in_its_sandbox() {
    let env = TestEnv::new();
    let whole = guests::component(guests::ADDER);
    let mut names = Vec::new();
    for position in 0..whole.len() {
        for bit in [position % 8, (position + 3) % 8] {
            let mut bytes = whole.clone();
            bytes[position] ^= 1 << bit;
            let name = format!("flip-{position}-{bit}.wasm");
            save(&env, &name, &bytes);
            names.push(name);
        }
    }
    let answers = call_all(&env, &names);
    for (name, answer) in names.iter().zip(&answers) {
        is_typed(answer, name);
    }
    let refused = answers
        .iter()
        .filter(|answer| answer["ok"] == false)
        .count();
    assert!(refused > names.len() / 3, "{refused} of {}", names.len());
    still_works(&env);
}

#[test]
fn a_real_component_damaged_at_random_does_no_harm() {
    let env = TestEnv::new();
    let whole = std::fs::read(probe::file()).expect("built");
    let mut random = numbers(0x5eed);
    let names: Vec<String> = (0..24)
        .map(|number| {
            let mut bytes = whole.clone();
            match number % 3 {
                0 => bytes.truncate(random.next().expect("endless") as usize % whole.len()),
                1 => {
                    let at = random.next().expect("endless") as usize % whole.len();
                    bytes[at] ^= 1 << (number % 8);
                }
                _ => {
                    let at = random.next().expect("endless") as usize % (whole.len() - 64);
                    let noise = random.next().expect("endless").to_le_bytes();
                    bytes[at..at + 8].copy_from_slice(&noise);
                }
            }
            let name = format!("damaged-{number}.wasm");
            save(&env, &name, &bytes);
            name
        })
        .collect();
    for (name, answer) in names.iter().zip(call_all(&env, &names)) {
        is_typed(&answer, name);
    }
    still_works(&env);
}

#[test]
fn noise_is_refused() {
    let env = TestEnv::new();
    let mut random = numbers(42);
    let header = b"\0asm\x0d\0\x01\0";
    let names: Vec<String> = (0..200)
        .map(|number| {
            let length = random.next().expect("endless") % 2000;
            let noise = random
                .by_ref()
                .take(length as usize / 8 + 1)
                .flat_map(u64::to_le_bytes);
            let start = if number % 2 == 0 { &header[..] } else { &[] };
            let bytes: Vec<u8> = start.iter().copied().chain(noise).collect();
            let name = format!("noise-{number}.wasm");
            save(&env, &name, &bytes);
            name
        })
        .collect();
    for (name, answer) in names.iter().zip(call_all(&env, &names)) {
        assert_eq!(answer["error"]["code"], "E3105", "{name}: {answer}");
    }
    still_works(&env);
}

#[test]
fn what_is_something_else_is_told_by_its_name() {
    let env = TestEnv::new();
    let core = std::fs::read(guests::wat("core-module")).expect("built");
    let mut newer = guests::component(guests::ADDER);
    newer[4] = 14;
    for (name, bytes, told) in [
        ("empty.wasm", &b""[..], "the file is empty"),
        ("core.wasm", &core, "this is a core module, not a component"),
        ("text.wasm", b"(component)", "WebAssembly text"),
        ("elf.wasm", b"\x7fELF\x02\x01\x01", "ELF"),
        ("script.wasm", b"#!/bin/sh\n", "a script"),
        ("zip.wasm", b"PK\x03\x04", "a ZIP archive"),
        ("newer.wasm", &newer, "version 14"),
        ("short.wasm", b"\0as", "cut off"),
        ("header.wasm", b"\0asm\x0d\0", "cut off"),
        ("words.wasm", b"hello", "not WebAssembly"),
    ] {
        save(&env, name, bytes);
        let output = call(&env, Path::new(name), &[]).fails_with(2, "E3105");
        assert!(
            output.stderr.contains(told) && output.stderr.contains(name),
            "{output}"
        );
    }
    // A component with nothing in it has no tools.
    save(&env, "nothing.wasm", b"\0asm\x0d\0\x01\0");
    call(&env, Path::new("nothing.wasm"), &[]).fails_with(4, "E3101");
    still_works(&env);
}

#[test]
fn what_is_no_file_is_told_and_not_waited_for() {
    let env = TestEnv::new();
    call(&env, Path::new("missing.wasm"), &[]).fails_with(4, "E3101");
    std::fs::create_dir(env.path("empty")).expect("created");
    call(&env, Path::new("./empty"), &[]).fails_with(4, "E3101");
    let pipe = env.path("pipe.wasm");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)
        .expect("a pipe");
    let output = call(&env, Path::new("pipe.wasm"), &[]).output();
    assert_eq!(output.code, Some(2), "{output}");
    let output = call(&env, Path::new("/dev/zero"), &[])
        .timeout(Duration::from_secs(20))
        .output();
    assert_eq!(output.code, Some(2), "{output}");
    std::os::unix::fs::symlink("loop.wasm", env.path("loop.wasm")).expect("linked");
    let output = call(&env, Path::new("loop.wasm"), &[]).output();
    assert_ne!(output.code, Some(0), "{output}");
    still_works(&env);
}

#[test]
fn a_file_of_gigabytes_is_not_read() {
    let env = TestEnv::new();
    save(&env, "large.wasm", b"\0asm\x0d\0\x01\0");
    let file = File::options()
        .write(true)
        .open(env.path("large.wasm"))
        .expect("opened");
    // The file has a size, and nothing on the disk.
    file.set_len(8 << 30).expect("grown");
    let output = call(&env, Path::new("large.wasm"), &[]).output();
    assert_eq!(output.code, Some(2), "{output}");
    assert!(
        output.stderr.contains("larger than 268435456 bytes"),
        "{output}"
    );
    // A custom section that claims to be larger than the file.
    save(
        &env,
        "claims.wasm",
        b"\0asm\x0d\0\x01\0\0\xff\xff\xff\xff\x0f\x01a",
    );
    call(&env, Path::new("claims.wasm"), &[]).fails_with(2, "E3105");
    still_works(&env);
}

#[test]
fn nesting_ends_at_a_limit() {
    let env = TestEnv::new();
    // Components in components.
    let nested = |depth: usize| {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        for _ in 0..depth {
            let mut outer = b"\0asm\x0d\0\x01\0\x04".to_vec();
            let mut length = bytes.len();
            // LEB128.
            while length >= 128 {
                outer.push((length % 128) as u8 | 128);
                length /= 128;
            }
            outer.push(length as u8);
            outer.extend(&bytes);
            bytes = outer;
        }
        bytes
    };
    for depth in [101, 5000] {
        save(&env, "nested.wasm", &nested(depth));
        let output = call(&env, Path::new("nested.wasm"), &[]).fails_with(2, "E3105");
        assert!(output.stderr.contains("nested"), "{output}");
    }
    // Types in types.
    let option = |depth: usize| format!("{}u8{}", "(option ".repeat(depth), ")".repeat(depth));
    let of_type = |ty: &str| {
        format!(
            "(component (core module $m (memory (export \"memory\") 1) (func (export \"run\") (result i32) (i32.const 0))) \
             (core instance $i (instantiate $m)) (alias core export $i \"memory\" (core memory $memory)) \
             (func (export \"run\") (result {ty}) (canon lift (core func $i \"run\") (memory $memory))))"
        )
    };
    save(
        &env,
        "types.wasm",
        &guests::component(&of_type(&option(20))),
    );
    call(&env, Path::new("types.wasm"), &[]).ok();
    save(
        &env,
        "types.wasm",
        &guests::component(&of_type(&option(60))),
    );
    let output = call(&env, Path::new("types.wasm"), &[]).output();
    assert_eq!(output.code, Some(2), "{output}");
    assert!(
        output.stderr.contains("nested deeper than") || output.stderr.contains("nest"),
        "{output}"
    );
    // Blocks in blocks, which only the compiler sees.
    let blocks = format!(
        "(component (core module $m (func (export \"run\") {} {})) (core instance $i (instantiate $m)) \
         (func (export \"run\") (canon lift (core func $i \"run\"))))",
        "block ".repeat(30_000),
        "end ".repeat(30_000)
    );
    save(&env, "blocks.wasm", &guests::component(&blocks));
    let output = call(&env, Path::new("blocks.wasm"), &[]).output();
    assert!([Some(0), Some(2)].contains(&output.code), "{output}");
    still_works(&env);
}

#[test]
fn a_signature_with_too_many_types_is_refused() {
    let env = TestEnv::new();
    // Every level doubles it: a thousand million types in a file of a few hundred bytes.
    let mut text = String::from("(component (type $t0 (tuple u8 u8))");
    for level in 1..=25 {
        let below = level - 1;
        text.push_str(&format!(" (type $t{level} (tuple $t{below} $t{below}))"));
    }
    text.push_str(
        " (core module $m (memory (export \"memory\") 1) (func (export \"run\") (result i32) (i32.const 0))) \
          (core instance $i (instantiate $m)) (alias core export $i \"memory\" (core memory $memory)) \
          (func (export \"run\") (result $t25) (canon lift (core func $i \"run\") (memory $memory))))",
    );
    match wat::parse_str(&text) {
        Ok(bytes) => save(&env, "wide.wasm", &bytes),
        Err(error) => panic!("{error}"),
    }
    let output = call(&env, Path::new("wide.wasm"), &[]).output();
    assert_eq!(output.code, Some(2), "{output}");
    assert!(
        output.stderr.contains("E3111") || output.stderr.contains("E3105"),
        "{output}"
    );
    still_works(&env);
}
