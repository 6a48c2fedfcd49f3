//! JavaScript: componentize-qjs, or componentize-js where the project names it; esbuild first, where it is installed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Step, Surroundings, forget, made, missing, program};
use crate::dist::MANIFEST_FILE;
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::manifest;
use crate::permission::Kind;

/// What comes out of a build.
const COMPONENT: &str = "build/component.wasm";
/// What esbuild makes of the sources.
const BUNDLE: &str = "build/component.js";
/// Where a project begins, the first that is there.
const ENTRIES: [&str; 2] = ["src/component.ts", "src/component.js"];
/// The engine that is SpiderMonkey.
const SPIDERMONKEY: &str = "@bytecodealliance/componentize-js";
/// The largest package.json that is read, in bytes.
const MAX_PACKAGE: u64 = 1 << 20;
/// How a mistake of the author's begins, which says nothing.
const NOISE: &str = "Error: : Failed to evaluate user JavaScript module: ";

/// What of a package.json decides how it is built.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Package {
    version: Option<String>,
    dependencies: serde_json::Map<String, serde_json::Value>,
    #[serde(rename = "devDependencies")]
    dev_dependencies: serde_json::Map<String, serde_json::Value>,
}

/// Builds the project; gives the component and what it was built with.
///
/// # Errors
/// E3105 where package.json is not valid; E3112 where packages are not installed, E3113 where the build fails.
pub fn build(around: Surroundings<'_>) -> Result<(PathBuf, String)> {
    let package = package(&around.project.join("package.json"))?;
    let uses = |name: &str| {
        package.dependencies.contains_key(name) || package.dev_dependencies.contains_key(name)
    };
    let name = if uses(SPIDERMONKEY) {
        SPIDERMONKEY
    } else {
        "componentize-qjs"
    };
    let program = installed(around, name)?;
    let entry = entry(around)?;
    let folder = around.project.join("build");
    std::fs::create_dir_all(&folder)
        .map_err(|error| fsx::io_error("making the folder", &folder, error))?;
    let arguments = if name == SPIDERMONKEY {
        spidermonkey(around.project, &entry)?
    } else {
        words(&[
            "--wit",
            "wit",
            "--world",
            "component",
            "--js",
            &entry,
            "--sync",
            "-o",
            COMPONENT,
        ])
    };
    let mut step = Step::new(&program, arguments);
    step.noise = &[NOISE];
    let component = around.project.join(COMPONENT);
    forget(&component)?;
    around.run(&step)?;
    made(&component, &program)?;
    let version = around
        .project
        .join("node_modules")
        .join(name)
        .join("package.json");
    let version = self::package(&version)
        .ok()
        .and_then(|package| package.version);
    let version = version.unwrap_or_else(|| "of an unknown version".to_owned());
    Ok((component, format!("{name} {version}")))
}

/// The program of a package, which npm puts into the project.
fn installed(around: Surroundings<'_>, package: &str) -> Result<PathBuf> {
    let name = package.rsplit('/').next().unwrap_or(package);
    if let Some(path) = program(&around.project.join("node_modules/.bin").join(name)) {
        return Ok(path);
    }
    let ways: &[&str] = if around.find("npm").is_some() {
        &["In the folder of the project: npm install"]
    } else {
        &[
            "Node.js 18 or newer with npm (Debian: apt-get install nodejs npm, macOS: brew install node), then in the folder of \
             the project: npm install",
        ]
    };
    Err(missing(
        &format!("the package {package} in node_modules"),
        "building a plugin in JavaScript",
        ways,
    ))
}

/// The module that the component begins with: what esbuild makes of the sources, where that is installed.
fn entry(around: Surroundings<'_>) -> Result<String> {
    let entry = ENTRIES
        .into_iter()
        .find(|entry| around.project.join(entry).is_file())
        .ok_or_else(|| {
            Error::new(
                Code::E3113,
                format!("building {}: there is no {}", around.project.display(), ENTRIES.join(" and no ")),
            )
            .hint("It is the module that exports what wit/world.wit says; `toolhatch plugin new js` shows one.")
        })?;
    let Some(esbuild) = program(&around.project.join("node_modules/.bin/esbuild")) else {
        if entry.ends_with(".ts") {
            return Err(missing(
                "esbuild in node_modules",
                "building a plugin in TypeScript",
                &["In the folder of the project: npm install --save-dev esbuild"],
            ));
        }
        return Ok(entry.to_owned());
    };
    let out = format!("--outfile={BUNDLE}");
    let mut step = Step::new(
        &esbuild,
        words(&[
            entry,
            "--bundle",
            "--format=esm",
            "--platform=neutral",
            "--main-fields=module,main",
            // The host has these.
            "--external:toolhatch:*",
            "--external:wasi:*",
            "--target=es2023",
            "--charset=utf8",
            "--log-level=warning",
            &out,
        ]),
    );
    // Where its package was installed without running scripts, it is started by one that fails with it.
    step.ends_before = Some("node:child_process");
    around.run(&step)?;
    Ok(BUNDLE.to_owned())
}

/// Its engine brings `fetch` along, which takes imports that a plugin without a network had better not have.
fn spidermonkey(project: &Path, entry: &str) -> Result<Vec<OsString>> {
    let manifest = manifest::read_file(&project.join(MANIFEST_FILE))?;
    let asks = |kind| {
        manifest
            .permissions
            .entries
            .iter()
            .any(|entry| entry.ask.kind() == kind)
    };
    let mut arguments = words(&[entry, "--wit", "wit", "-n", "component"]);
    if !asks(Kind::NetworkHttp) {
        arguments.extend(words(&["-d", "http", "fetch-event"]));
    }
    arguments.extend(words(&["-o", COMPONENT]));
    Ok(arguments)
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn package(path: &Path) -> Result<Package> {
    let text = fsx::read_text(path, MAX_PACKAGE)?;
    serde_json::from_str(&text).map_err(|error| {
        Error::new(Code::E3105, format!("reading {}", path.display())).caused_by(error)
    })
}
