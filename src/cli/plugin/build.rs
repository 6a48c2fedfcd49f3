//! `toolhatch plugin build`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::asks::Asks;
use super::examine::examine;
use super::finding::Severity;
use super::rule::Rule;
use crate::app::App;
use crate::author::build::{Built, build};
use crate::author::toolchain::Surroundings;
use crate::cli::block_on;
use crate::cli::output::{CommandOutput, Printer, stderr_is_terminal};
use crate::cli::text::size;
use crate::dist::{MANIFEST_FILE, Package, pack};
use crate::error::{Code, Error, Result};
use crate::exec::Artifact;
use crate::fsx;
use crate::manifest::document::MAX_BYTES;
use crate::registry::importable;
use crate::schema::{Docs, read_component, write_package_docs};

/// The folder of a project that built plugins are put into.
pub(super) const DIST: &str = "dist";
/// The folder of a project with the WIT of its component.
const WIT: &str = "wit";
/// The world that describes its tools itself.
const OWN_WORLD: &str = "toolhatch:plugin/";

/// Build the plugin of a project, and pack it: what comes out is the file that is installed and shared.
///
/// The compiler is the one of the language, and runs as you. It is stripped of what only debuggers read, gets its manifest
/// and the documentation of its WIT packed in, and is checked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin build
  toolhatch plugin build my-plugin -o my-plugin.wasm

What each language takes:
  Rust        cargo with the target wasm32-wasip2 (rustup target add wasm32-wasip2)
              or, on Debian: rustc-web cargo-web rust-web-src rust-web-llvm wasi-libc llvm-22 lld-22
  JavaScript  node and npm; `npm install` in the project brings the rest
  Python      Python 3.10 or newer; `pip install componentize-py` brings the rest
  C           clang with a C library for WASI (on Debian: clang-22 lld-22 wasi-libc libclang-rt-22-dev-wasm32)")]
pub struct Args {
    /// The folder of the project.
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// The file to write, in place of dist/NAME.wasm in the project.
    #[arg(short, long = "output", value_name = "OUT.wasm")]
    out: Option<PathBuf>,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        let project = Project::open(app, &self.project)?;
        let done = project.build(app, printer, self.out.as_deref())?;
        done.output(app, &self.project)
    }
}

/// The folder of a plugin's sources.
pub(super) struct Project {
    folder: PathBuf,
    /// The text of its manifest.
    manifest: String,
}

/// A plugin that was built, packed and examined.
pub(super) struct Packed {
    built: Built,
    pub(super) package: Package,
    pub(super) file: PathBuf,
    pub(super) warnings: Vec<String>,
}

impl Project {
    pub(super) fn open(app: &App, folder: &Path) -> Result<Self> {
        let folder = app.paths.current.join(folder);
        let folder = folder.canonicalize().map_err(|error| {
            Error::new(Code::E3101, format!("building {}", folder.display()))
                .caused_by(error)
                .hint("Name the folder of a project; `toolhatch plugin new` makes one.")
        })?;
        let manifest = folder.join(MANIFEST_FILE);
        if !manifest.is_file() {
            return Err(Error::new(
                Code::E3101,
                format!("building {}: there is no {MANIFEST_FILE}", folder.display()),
            )
            .hint("Make a project with `toolhatch plugin new`, or write a manifest; `toolhatch schema manifest` says what it holds."));
        }
        let text = fsx::read_text(&manifest, MAX_BYTES as u64)?;
        // What is wrong with it is told before anything takes long.
        crate::manifest::parse_toml(&text, &manifest.display().to_string())?;
        Ok(Self {
            folder,
            manifest: text,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Builds it, and writes the packed plugin to `out` or else into its `dist`.
    pub(super) fn build(&self, app: &App, printer: &Printer, out: Option<&Path>) -> Result<Packed> {
        let around = Surroundings {
            environment: &app.environment,
            project: &self.folder,
            shows: stderr_is_terminal() && !printer.is_json(),
        };
        let built = build(around)?;
        let origin = self.folder.join(MANIFEST_FILE).display().to_string();
        let bytes = pack(&self.documented(&built.component)?, &self.manifest, &origin)?;
        let package = Package::from_artifact(Artifact::new(bytes.into()), built.file.clone())?;
        let file = match out {
            Some(out) => app.paths.current.join(out),
            None => self
                .folder
                .join(DIST)
                .join(format!("{}.wasm", package.name())),
        };
        let findings = block_on(examine(app, &package))?;
        let warnings = findings
            .of(Severity::Warning)
            .map(|finding| finding.message.clone())
            .collect();
        let undescribed = findings
            .of(Severity::Error)
            .find(|finding| finding.rule == Rule::Described)
            .map(|finding| finding.message.clone());
        // What such an error tells whoever calls a tool is no help to whoever writes it.
        if let Some(message) = undescribed {
            return Err(Error::new(
                Code::E3113,
                format!(
                    "building {}: the component was made, and does not say which tools it has",
                    package.name()
                ),
            )
            .caused_by(message)
            .hint("Export `tools`, as wit/world.wit says, and let it list them without needing anything from outside."));
        }
        findings.into_result(&format!("building {}", package.name()))?;
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| fsx::io_error("making the folder", folder, error))?;
        }
        fsx::write_atomic(&file, &package.artifact.bytes, 0o644)?;
        Ok(Packed {
            built,
            package,
            file,
            warnings,
        })
    }

    /// With what its WIT says of the functions that are its tools: compilers leave that out.
    fn documented(&self, component: &[u8]) -> Result<Vec<u8>> {
        let wit = self.folder.join(WIT);
        let interface = read_component(component, None)?;
        let describes_itself = interface
            .exports
            .iter()
            .any(|export| export.starts_with(OWN_WORLD));
        if describes_itself || !wit.is_dir() {
            return Ok(component.to_vec());
        }
        write_package_docs(component, &Docs::from_wit_path(&wit)?)
    }
}

impl Packed {
    /// How long the build took.
    pub(super) fn took(&self) -> Duration {
        self.built.took
    }

    fn output(&self, app: &App, project: &Path) -> Result<CommandOutput> {
        let package = &self.package;
        let interface = read_component(&package.artifact.bytes, None)?;
        let asks = Asks::new(
            package.manifest.as_ref(),
            &interface.imports,
            &app.paths.variables(),
        )?;
        let can_use: Vec<&str> = importable(&interface.imports)
            .into_iter()
            .map(|kind| kind.name())
            .collect();
        let length = package.artifact.bytes.len() as u64;
        let took = self.built.took.as_secs_f64();
        let version = package
            .manifest
            .as_ref()
            .map(|manifest| manifest.version.to_string());
        let shown = self
            .file
            .strip_prefix(&app.paths.current)
            .unwrap_or(&self.file);
        let used = match can_use.as_slice() {
            [] => "nothing besides computing".to_owned(),
            names => names.join(", "),
        };
        let text = format!(
            "Built {} {} into {}\n  digest   {}\n  size     {}\n  with     {}, in {took:.1} s\n  can use  {used}\n{}\n\
             Next: toolhatch plugin check {project}, toolhatch plugin test {project}",
            package.name(),
            version.as_deref().unwrap_or_default(),
            shown.display(),
            package.artifact.digest,
            size(length),
            self.built.toolchain,
            asks.text().trim_end(),
            project = project.display(),
        );
        let (requests, unasked) = asks.to_json();
        let json = json!({
            "name": package.name(),
            "version": version,
            "file": self.file.to_string_lossy(),
            "digest": package.artifact.digest.to_string(),
            "size": length,
            "language": self.built.language.word(),
            "toolchain": self.built.toolchain,
            "seconds": took,
            "can_use": can_use,
            "requests": requests,
            "unasked": unasked,
            "warnings": self.warnings,
        });
        Ok(CommandOutput {
            warnings: self.warnings.clone(),
            ..CommandOutput::new(text, json)
        })
    }
}
