//! From a file or folder to an artifact with its manifest.
//!
//! The identity of a plugin is the digest of the packed component, manifest included; a manifest that lies beside the
//! component is therefore packed into it as it is read.

use std::path::{Path, PathBuf};

use super::read;
use crate::error::{Code, Error, Result};
use crate::exec::Artifact;
use crate::fsx;
use crate::manifest::{self, Manifest};
use crate::schema::{Docs, artifact};

/// The name of a manifest in a plugin's folder.
pub const MANIFEST_FILE: &str = "plugin.toml";
/// The older form.
const YAML_FILE: &str = "plugin.yaml";
/// A component with nothing in it: the magic number, and the version and layer of the binary format.
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// A manifest is a page or two; more is a mistake or an attack.
const MAX_MANIFEST: u64 = 1 << 20;

/// An artifact as it was read.
#[derive(Debug, Clone)]
pub struct Package {
    /// The component, with its manifest packed in where it has one.
    pub artifact: Artifact,
    /// The manifest.
    pub manifest: Option<Manifest>,
    /// What a WIT text beside the component says about it.
    pub docs: Option<Docs>,
    /// The component's file.
    pub file: PathBuf,
}

impl Package {
    /// Reads a `.wasm` file, or a folder with `plugin.toml` and one `.wasm` file.
    ///
    /// # Errors
    /// E3101 where there is nothing; E3105 where what is there is no component or its manifest is not valid.
    pub fn read(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| {
            let code = match error.kind() {
                std::io::ErrorKind::NotFound => Code::E3101,
                _ => Code::E3105,
            };
            Error::new(code, format!("reading the plugin {}", path.display())).caused_by(error)
        })?;
        if metadata.is_dir()
            && let Some(package) = Self::of_commands(path)?
        {
            return Ok(package);
        }
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            return Self::custom(path);
        }
        let file = if metadata.is_dir() {
            only_component(path)?
        } else {
            path.to_owned()
        };
        let artifact = read::artifact(&file)?;
        artifact::sniff(&artifact.bytes, artifact::MAX_BYTES)
            .map_err(|error| error.while_doing(format!("reading {}", file.display())))?;
        let (artifact, manifest) = with_manifest(&file, artifact)?;
        Ok(Self {
            artifact,
            manifest,
            docs: docs_beside(&file)?,
            file,
        })
    }

    /// Reads a file of tools that are commands, such as `.toolhatch/tools/lint.toml`.
    ///
    /// # Errors
    /// E3105 where it is not valid.
    fn custom(path: &Path) -> Result<Self> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let text = fsx::read_text(path, MAX_MANIFEST)?;
        let manifest = manifest::custom::parse(&stem, &text)
            .map_err(|error| error.while_doing(format!("reading {}", path.display())))?;
        Self::contained(manifest, path)
    }

    /// A folder whose manifest says that every tool is a command, and that has no component.
    fn of_commands(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST_FILE);
        if !path.is_file() || has_component(folder) {
            return Ok(None);
        }
        let text = fsx::read_text(&path, MAX_MANIFEST)?;
        let manifest = manifest::parse_toml(&text, &path.display().to_string())?;
        if !manifest.is_contained() {
            return Ok(None);
        }
        Self::contained(manifest, &path).map(Some)
    }

    /// The manifest in an empty component: what a plugin without code of its own is.
    fn contained(manifest: Manifest, path: &Path) -> Result<Self> {
        let bytes = manifest::embed(EMPTY_COMPONENT, &manifest::to_toml(&manifest))?;
        Ok(Self {
            artifact: Artifact::new(bytes.into()),
            manifest: Some(manifest),
            docs: None,
            file: path.to_owned(),
        })
    }

    /// Reads an artifact whose bytes are already at hand, such as an installed one.
    ///
    /// # Errors
    /// E3105 where its manifest is not valid.
    pub fn from_artifact(artifact: Artifact, file: PathBuf) -> Result<Self> {
        let manifest = manifest::extract(&artifact.bytes)?
            .map(|text| manifest::parse_toml(&text, &file.display().to_string()))
            .transpose()?;
        Ok(Self {
            artifact,
            manifest,
            docs: None,
            file,
        })
    }

    /// The manifest beside it, where that says something else than the one that is packed in: it was changed after the build,
    /// and does not count before the next one.
    ///
    /// # Errors
    /// Those of reading it.
    pub fn outdated_by(&self) -> Result<Option<PathBuf>> {
        let (Some(packed), Some(beside)) = (&self.manifest, manifest_beside(&self.file)) else {
            return Ok(None);
        };
        let now = manifest::read_file(&beside)?;
        Ok((manifest::to_toml(&now) != manifest::to_toml(packed)).then_some(beside))
    }

    /// What the source is called: the plugin's name, or the stem of the file.
    #[must_use]
    pub fn name(&self) -> String {
        if let Some(manifest) = &self.manifest {
            return manifest.name.to_string();
        }
        self.file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .replace(['.', ' '], "-")
    }
}

/// Packs a manifest into a component; gives the bytes of the artifact.
///
/// # Errors
/// E3105 where the bytes are no component or the manifest is not valid.
pub fn pack(component: &[u8], manifest_text: &str, origin: &str) -> Result<Vec<u8>> {
    artifact::sniff(component, artifact::MAX_BYTES)?;
    manifest::parse_toml(manifest_text, origin)?;
    manifest::embed(component, manifest_text)
}

fn has_component(folder: &Path) -> bool {
    !components(folder).is_empty()
}

/// The components of a folder, or else those of its `dist`.
fn components(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for place in [folder.to_owned(), folder.join("dist")] {
        let Ok(entries) = std::fs::read_dir(&place) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "wasm")
            {
                found.push(path);
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    found.sort();
    found
}

fn only_component(folder: &Path) -> Result<PathBuf> {
    let found = components(folder);
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Error::new(
            Code::E3101,
            format!("there is no .wasm file in {}", folder.display()),
        )
        .hint("Build the plugin first, or name its file.")),
        several => Err(Error::new(
            Code::E3105,
            format!(
                "there are {} .wasm files in {}",
                several.len(),
                folder.display()
            ),
        )
        .hint(format!("Name the one you mean: {}.", names(several)))),
    }
}

/// Their names, as far as they can be listed in a line.
fn names(files: &[PathBuf]) -> String {
    let names = files.iter().filter_map(|file| file.file_name());
    let shown: Vec<_> = names.take(5).map(|name| name.to_string_lossy()).collect();
    let more = if files.len() > shown.len() {
        ", …"
    } else {
        ""
    };
    format!("{}{more}", shown.join(", "))
}

/// The manifest of a component: the one inside, or else one beside it, which is packed in.
fn with_manifest(file: &Path, artifact: Artifact) -> Result<(Artifact, Option<Manifest>)> {
    if let Some(text) = manifest::extract(&artifact.bytes)? {
        let manifest = manifest::parse_toml(&text, &format!("the manifest in {}", file.display()))?;
        return Ok((artifact, Some(manifest)));
    }
    let Some(beside) = manifest_beside(file) else {
        return Ok((artifact, None));
    };
    let text = fsx::read_text(&beside, MAX_MANIFEST)?;
    let origin = beside.display().to_string();
    let (manifest, text) = if beside
        .extension()
        .is_some_and(|extension| extension == "yaml")
    {
        let manifest = manifest::parse_yaml(&text, &origin)?;
        let text = manifest::to_toml(&manifest);
        (manifest, text)
    } else {
        (manifest::parse_toml(&text, &origin)?, text)
    };
    let packed = manifest::embed(&artifact.bytes, &text)?;
    Ok((Artifact::new(packed.into()), Some(manifest)))
}

/// `NAME.plugin.toml` beside `NAME.wasm`, or the `plugin.toml` of a folder that holds no other component: in a folder of
/// many components it would not be clear whose it is. A component in `dist` belongs to the manifest of the folder above.
#[must_use]
pub fn manifest_beside(file: &Path) -> Option<PathBuf> {
    let own = file.with_extension(MANIFEST_FILE);
    if own.is_file() {
        return Some(own);
    }
    let folder = file.parent()?;
    let above = folder.ends_with("dist").then(|| folder.parent()).flatten();
    let shared = [Some(folder), above]
        .into_iter()
        .flatten()
        .flat_map(|folder| [MANIFEST_FILE, YAML_FILE].map(|name| folder.join(name)))
        .find(|path| path.is_file())?;
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let only = only_component(folder).ok()?;
    (only.file_name() == file.file_name()).then_some(shared)
}

fn docs_beside(file: &Path) -> Result<Option<Docs>> {
    let wit = file.with_extension("wit");
    if !wit.exists() {
        return Ok(None);
    }
    Docs::from_wit_path(&wit).map(Some)
}
