//! `toolhatch plugin pack`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::examine::examine;
use super::finding::Severity;
use crate::app::App;
use crate::cli::block_on;
use crate::cli::output::CommandOutput;
use crate::cli::text::size;
use crate::dist::{self, Package};
use crate::error::{Code, Error, Result};
use crate::exec::Artifact;
use crate::fsx;
use crate::manifest::{self, document::MAX_BYTES};
use crate::schema::{Docs, artifact, write_package_docs};

/// The names under which a manifest is looked for in the current folder.
const MANIFESTS: [&str; 2] = ["plugin.toml", "plugin.yaml"];

/// Pack a manifest, and documentation, into a component: the file that is installed and shared.
///
/// Without --manifest, the one beside the component counts, then the one in the current folder, then the one that is in the
/// component already. The tools of the manifest must be those of the component.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin pack target/wasm32-wasip2/release/my_plugin.wasm -o dist/my-plugin.wasm
  toolhatch plugin pack built.wasm --manifest plugin.yaml -o my-plugin.wasm
  toolhatch plugin pack calc.wasm --wit wit -o calc-documented.wasm")]
pub struct Args {
    /// The component.
    #[arg(value_name = "COMPONENT")]
    component: PathBuf,
    /// The manifest to pack in: plugin.toml, or the older plugin.yaml.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// A .wit file, or a folder of them, whose documentation is packed in; the one beside the component where none is named.
    #[arg(long, value_name = "PATH")]
    wit: Option<PathBuf>,
    /// The file to write.
    #[arg(short, long = "output", value_name = "OUT.wasm")]
    out: PathBuf,
    /// Overwrite the file whatever it is.
    #[arg(long)]
    force: bool,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        if !self.force {
            check_target(&self.out)?;
        }
        let bytes = self.packed(app)?;
        let package = Package::from_artifact(Artifact::new(bytes.into()), self.out.clone())?;
        let findings = block_on(examine(app, &package))?;
        let warnings: Vec<String> = findings
            .of(Severity::Warning)
            .map(|finding| finding.message.clone())
            .collect();
        findings.into_result(&format!("packing {}", self.component.display()))?;
        fsx::write_atomic(&self.out, &package.artifact.bytes, 0o644)?;
        let version = package
            .manifest
            .as_ref()
            .map(|manifest| manifest.version.to_string());
        let length = package.artifact.bytes.len() as u64;
        let text = format!(
            "Packed {}{} into {}\n  digest  {}\n  size    {}",
            package.name(),
            version
                .as_ref()
                .map_or_else(String::new, |version| format!(" {version}")),
            self.out.display(),
            package.artifact.digest,
            size(length),
        );
        let json = json!({
            "name": package.name(),
            "version": version,
            "file": self.out.to_string_lossy(),
            "digest": package.artifact.digest.to_string(),
            "size": length,
            "warnings": warnings,
        });
        Ok(CommandOutput {
            warnings,
            ..CommandOutput::new(text, json)
        })
    }

    /// The bytes of the artifact: the component, with documentation and then the manifest at its end.
    fn packed(&self, app: &App) -> Result<Vec<u8>> {
        let read = |path: &Path| read_manifest(path).map(|text| (text, path.display().to_string()));
        let here = || {
            MANIFESTS
                .iter()
                .map(|name| app.paths.current.join(name))
                .find(|path| path.is_file())
        };
        let (bytes, manifest) = if let Some(path) = &self.manifest {
            let bytes = fsx::read_capped(&self.component, artifact::MAX_BYTES)?;
            (bytes, Some(read(path)?))
        } else {
            let package = Package::read(&self.component)?;
            let bytes = package.artifact.bytes.to_vec();
            let manifest = match (manifest::extract(&bytes)?, here()) {
                (Some(text), _) => Some((text, package.file.display().to_string())),
                (None, Some(path)) => Some(read(&path)?),
                (None, None) => None,
            };
            (bytes, manifest)
        };
        let beside = self.component.with_extension("wit");
        let docs = match &self.wit {
            Some(path) => Some(Docs::from_wit_path(path)?),
            None if beside.exists() => Some(Docs::from_wit_path(&beside)?),
            None => None,
        };
        if manifest.is_none() && docs.is_none() {
            return Err(Error::new(
                Code::E3004,
                format!("packing {}: there is no manifest and no WIT to pack in", self.component.display()),
            )
            .hint("Name one with `--manifest` or `--wit`, or write a plugin.toml beside the component."));
        }
        let bytes = match docs {
            Some(docs) => write_package_docs(&bytes, &docs)?,
            None => bytes,
        };
        match manifest {
            Some((text, origin)) => dist::pack(&bytes, &text, &origin),
            None => Ok(bytes),
        }
    }
}

/// A manifest as TOML.
fn read_manifest(path: &Path) -> Result<String> {
    let text = fsx::read_text(path, MAX_BYTES as u64)?;
    let is_yaml = path
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_yaml {
        return Ok(manifest::to_toml(&manifest::parse_yaml(
            &text,
            &path.display().to_string(),
        )?));
    }
    Ok(text)
}

/// Refuses to overwrite what is no component: a slip of the fingers must not cost somebody their work.
fn check_target(path: &Path) -> Result<()> {
    let mut start = Vec::new();
    match path.metadata() {
        // Anything else is not opened: that could block for ever.
        Ok(metadata) if metadata.is_file() => {
            File::open(path)
                .and_then(|file| file.take(8).read_to_end(&mut start))
                .map_err(|error| fsx::io_error("reading", path, error))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        _ => {}
    }
    if start == artifact::COMPONENT_HEADER {
        return Ok(());
    }
    Err(Error::new(
        Code::E3004,
        format!(
            "refusing to overwrite {}: it is not a component",
            path.display()
        ),
    )
    .hint("Name another file, or overwrite it with `--force`."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_components_are_overwritten() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("out.wasm");
        assert!(check_target(&path).is_ok(), "nothing is there");
        fsx::write_atomic(&path, &artifact::COMPONENT_HEADER, 0o600).expect("written");
        assert!(check_target(&path).is_ok(), "a component is there");
        fsx::write_atomic(&path, b"#!/bin/sh\n", 0o600).expect("written");
        assert_eq!(
            check_target(&path).expect_err("a script").code(),
            Code::E3004
        );
        fsx::write_atomic(&path, b"", 0o600).expect("written");
        assert!(
            check_target(&path).is_err(),
            "an empty file is no component"
        );
        assert!(
            check_target(folder.path()).is_err(),
            "a folder is no component"
        );
    }
}
