//! C for WASI: clang of the WASI SDK or of the system, with bindings and the component made here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::Files;
use wit_component::ComponentEncoder;
use wit_parser::Resolve;

use super::{Step, Surroundings, forget, made, missing};
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::schema::artifact;

/// The folder of a project that builds write into.
const BUILD: &str = "build";
/// The folder below it that the bindings are in: where an editor finds them too.
const BINDINGS: &str = "build/bindings";
/// The target that every clang knows; newer ones take it for `wasm32-wasip1`.
const TARGET: &str = "--target=wasm32-wasi";
/// The WASI SDK, where it is not among the programs.
const WASI_SDK: &str = "WASI_SDK_PATH";
/// The compilers of distributions, the newest first. Before 15 clang could not make what components take.
const VERSIONS: std::ops::RangeInclusive<u32> = 15..=24;

/// Builds the project; gives the component and what it was built with.
///
/// # Errors
/// E3105 where its WIT is not valid; E3112 where there is no compiler for WASI, E3113 where the build fails.
pub fn build(around: Surroundings<'_>) -> Result<(PathBuf, String)> {
    let clang = find(around)?;
    let version = around
        .ask(&clang, &["--version"])
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| clang.display().to_string());
    let bindings = bindings(around.project)?;
    let core = around.project.join(BUILD).join("core.wasm");
    forget(&core)?;
    around.run(&compile(around.project, &clang, &bindings, &core)?)?;
    made(&core, &clang)?;
    let component = around.project.join(BUILD).join("component.wasm");
    fsx::write_atomic(&component, &encode(&core, around.project)?, 0o644)?;
    Ok((component, version))
}

/// The first compiler that makes a program for WASI out of one that includes its C library.
fn find(around: Surroundings<'_>) -> Result<PathBuf> {
    let sdk = around
        .environment
        .get(WASI_SDK)
        .map(|sdk| Path::new(sdk).join("bin/clang"));
    let named = VERSIONS
        .rev()
        .filter_map(|version| around.find(&format!("clang-{version}")));
    let found: Vec<PathBuf> = sdk
        .into_iter()
        .chain(around.find("clang"))
        .chain(named)
        .collect();
    let folder = tempfile_in(around.project)?;
    let source = folder.join("probe.c");
    fsx::write_atomic(
        &source,
        b"#include <stdlib.h>\nint probe(void) { return malloc(1) != 0; }\n",
        0o644,
    )?;
    let works = |clang: &Path| {
        let step = Step::new(
            clang,
            [
                OsString::from(TARGET),
                "-mexec-model=reactor".into(),
                "-Wl,--export=probe".into(),
                source.clone().into(),
                "-o".into(),
                folder.join("probe.wasm").into(),
            ],
        );
        let quiet = Surroundings {
            shows: false,
            ..around
        };
        quiet.run(&step).is_ok()
    };
    let chosen = found.into_iter().find(|clang| works(clang));
    // Left where it is, it would only be in the way of somebody who looks.
    drop(std::fs::remove_dir_all(&folder));
    chosen.ok_or_else(|| {
        missing(
            "clang with lld and a C library for WASI",
            "building a plugin in C",
            &[
                "The WASI SDK (https://github.com/WebAssembly/wasi-sdk): set WASI_SDK_PATH to its folder.",
                "On Debian: apt-get install clang-22 lld-22 wasi-libc libclang-rt-22-dev-wasm32",
                "On Ubuntu and Fedora: clang, lld, wasi-libc and the compiler-rt for wasm32 of the same version",
            ],
        )
    })
}

/// A folder of the project for what is tried out.
fn tempfile_in(project: &Path) -> Result<PathBuf> {
    let folder = project.join(BUILD).join("probe");
    std::fs::create_dir_all(&folder)
        .map_err(|error| fsx::io_error("making the folder", &folder, error))?;
    Ok(folder)
}

/// Writes the bindings of the project's world; gives their files that are compiled and linked.
fn bindings(project: &Path) -> Result<Vec<PathBuf>> {
    let wit = project.join("wit");
    let invalid = |why: String| {
        Error::new(Code::E3105, format!("reading {}", wit.display()))
            .caused_by(why)
            .hint("Mend wit/world.wit; `toolhatch plugin new c NAME` makes a project with one that works.")
    };
    let mut resolve = Resolve::default();
    let pushed = resolve.push_dir(&wit);
    let (package, _) = pushed.map_err(|error| invalid(resolve.render_error(&error)))?;
    let world = resolve
        .select_world(&[package], None)
        .map_err(|error| invalid(format!("{error:#}")))?;
    let mut files = Files::default();
    wit_bindgen_c::Opts {
        rename_world: Some("component".to_owned()),
        ..wit_bindgen_c::Opts::default()
    }
    .build()
    .generate(&mut resolve, world, &mut files)
    .map_err(|error| invalid(format!("{error:#}")))?;
    let folder = project.join(BINDINGS);
    std::fs::create_dir_all(&folder)
        .map_err(|error| fsx::io_error("making the folder", &folder, error))?;
    let mut built = Vec::new();
    for (name, contents) in files.iter() {
        let path = folder.join(name);
        fsx::write_atomic(&path, contents, 0o644)?;
        if path
            .extension()
            .is_some_and(|extension| extension == "c" || extension == "o")
        {
            built.push(path);
        }
    }
    Ok(built)
}

fn compile(project: &Path, clang: &Path, bindings: &[PathBuf], core: &Path) -> Result<Step> {
    let mut sources = Vec::new();
    let folder = project.join("src");
    let entries = std::fs::read_dir(&folder)
        .map_err(|error| fsx::io_error("looking into", &folder, error))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    // The same project always gives the same bytes.
    sources.sort();
    let mut prefix = OsString::from("-ffile-prefix-map=");
    prefix.push(project);
    prefix.push("=.");
    let flags = [
        TARGET,
        "-mexec-model=reactor",
        "-std=c17",
        "-Os",
        "-g0",
        "-Wall",
        "-Wextra",
        // Newer ones have another name for the target, which older ones do not know.
        "-Wno-deprecated",
        "-Isrc",
        "-Ibuild/bindings",
        "-Wl,--strip-debug",
    ];
    let mut arguments: Vec<OsString> = flags.map(OsString::from).to_vec();
    arguments.push(prefix);
    arguments.extend(
        sources
            .into_iter()
            .chain(bindings.iter().cloned())
            .map(OsString::from),
    );
    arguments.push("-o".into());
    arguments.push(core.into());
    Ok(Step::new(clang, arguments))
}

/// A component of a module that was linked against WASI preview 1.
fn encode(core: &Path, project: &Path) -> Result<Vec<u8>> {
    let module = fsx::read_capped(core, artifact::MAX_BYTES)?;
    let encoded = ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| {
            encoder.adapter(
                WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
                WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
            )
        })
        .and_then(|encoder| encoder.validate(true).encode());
    encoded.map_err(|error| {
        Error::new(
            Code::E3113,
            format!(
                "building {}: what clang made is no component",
                project.display()
            ),
        )
        .caused_by(format!("{error:#}"))
        .hint("Export every function of wit/world.wit; build/bindings/component.h declares them.")
    })
}
