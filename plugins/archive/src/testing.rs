//! Archives that tests put together by hand, and calls as the host makes them.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use serde_json::{Value, json};
use tar::{EntryType, Header};
use toolhatch_plugin::testing::{info, run};
use toolhatch_plugin::{Result, ToolInfo};

use crate::extract::extract;
use crate::list::list;
use crate::read::read;

/// An entry of a zip, with room for lies.
#[derive(Clone)]
pub struct Zipped {
    pub name: Vec<u8>,
    /// In the local header, where it is another one.
    pub local_name: Option<Vec<u8>>,
    pub data: Vec<u8>,
    pub method: u16,
    pub flags: u16,
    /// A Unix mode.
    pub mode: u32,
    /// The size that the headers tell, where it is not the true one.
    pub size: Option<u32>,
    pub crc: Option<u32>,
    /// Where its local header is, where that is not behind the one before.
    pub offset: Option<u32>,
}

pub fn zipped(name: &str, data: &[u8]) -> Zipped {
    Zipped {
        name: name.as_bytes().to_vec(),
        local_name: None,
        data: data.to_vec(),
        method: 8,
        flags: 0x800,
        mode: 0o100_644,
        size: None,
        crc: None,
        offset: None,
    }
}

/// The bytes of a zip.
pub fn zip(entries: &[Zipped]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let packed = if entry.method == 8 {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&entry.data).unwrap();
            encoder.finish().unwrap()
        } else {
            entry.data.clone()
        };
        let mut sum = flate2::Crc::new();
        sum.update(&entry.data);
        let crc = entry.crc.unwrap_or_else(|| sum.sum());
        let size = entry
            .size
            .unwrap_or_else(|| u32::try_from(entry.data.len()).unwrap());
        let offset = entry
            .offset
            .unwrap_or_else(|| u32::try_from(bytes.len()).unwrap());
        let common = |name: &[u8]| {
            let mut header = Vec::new();
            for number in [20, entry.flags, entry.method, 0, 0x5c61] {
                header.extend(number.to_le_bytes());
            }
            for number in [crc, u32::try_from(packed.len()).unwrap(), size] {
                header.extend(number.to_le_bytes());
            }
            header.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
            header.extend(0_u16.to_le_bytes());
            header
        };
        if entry.offset.is_none() {
            let name = entry.local_name.as_ref().unwrap_or(&entry.name);
            bytes.extend(b"PK\x03\x04");
            bytes.extend(common(name));
            bytes.extend(name);
            bytes.extend(&packed);
        }
        directory.extend(b"PK\x01\x02");
        directory.extend(0x0314_u16.to_le_bytes());
        directory.extend(common(&entry.name));
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
    }
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    let start = u32::try_from(bytes.len()).unwrap();
    let length = u32::try_from(directory.len()).unwrap();
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count);
    bytes.extend(count);
    bytes.extend(length.to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// An entry of a tar.
pub fn taped(name: &str, kind: EntryType, target: &str, data: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    // Set as bytes: the library would refuse what attackers write.
    let bytes = header.as_mut_bytes();
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes[157..157 + target.len()].copy_from_slice(target.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o104_755);
    header.set_mtime(1_000_000_000);
    header.set_size(data.len() as u64);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

pub fn taped_file(name: &str, data: &[u8]) -> Vec<u8> {
    taped(name, EntryType::Regular, "", data)
}

/// A header of the pax kind, about the entry behind it.
pub fn pax(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    let mut body = format!("{length} {key}=").into_bytes();
    body.extend(value);
    body.push(b'\n');
    taped("pax", EntryType::XHeader, "", &body)
}

pub fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.extend([0; 1024]);
    bytes
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// A temporary folder with an archive `a` and an empty folder `out`.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn with(archive: &[u8]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("a", archive);
        fs::create_dir(folder.path("out")).unwrap();
        folder
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub fn write(&self, path: &str, data: &[u8]) {
        File::create(self.path(path))
            .unwrap()
            .write_all(data)
            .unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// All files and folders below one, sorted.
    pub fn names(&self, below: &str) -> Vec<String> {
        let root = self.path(below);
        let mut names = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                names.push(
                    path.strip_prefix(&root)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                );
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                }
            }
        }
        names.sort();
        names
    }

    pub fn list(&self, more: Value) -> Result<Value> {
        self.call("list", more)
    }

    pub fn read_entry(&self, entry: &str, mut more: Value) -> Result<Value> {
        more["entry"] = json!(entry);
        self.call("read", more)
    }

    /// Extracts into `out`.
    pub fn extract(&self, mut more: Value) -> Result<Value> {
        if more.get("destination").is_none() {
            more["destination"] = json!(self.path("out"));
        }
        self.call("extract", more)
    }

    fn call(&self, tool: &str, mut arguments: Value) -> Result<Value> {
        arguments["path"] = json!(self.path("a"));
        let info = tools().into_iter().find(|info| info.name == tool).unwrap();
        assert_fits(&info.input_schema, &arguments);
        let output = match tool {
            "list" => run::<list>(&arguments),
            "read" => run::<read>(&arguments),
            _ => run::<extract>(&arguments),
        }?;
        let result = output.structured.unwrap();
        assert_fits(info.output_schema.as_ref().unwrap(), &result);
        Ok(result)
    }
}

/// The names and reasons of what was left out.
pub fn skipped(result: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let skipped = result["skipped"].as_array().unwrap().iter();
    skipped
        .map(|skipped| (text(&skipped["name"]), text(&skipped["why"])))
        .collect()
}

fn tools() -> [ToolInfo; 3] {
    [info::<list>(), info::<read>(), info::<extract>()]
}

pub fn assert_fits(schema: &str, value: &Value) {
    let schema = serde_json::from_str(schema).unwrap();
    let errors: Vec<String> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(value)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{value}");
}

#[test]
fn the_examples_of_the_schemas_are_valid() {
    for tool in tools() {
        let schema: Value = serde_json::from_str(&tool.input_schema).unwrap();
        for example in schema["examples"].as_array().unwrap() {
            assert_fits(&tool.input_schema, example);
        }
    }
}
