//! What has to be readable for a program to start at all: itself, its script, and what interprets them.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::fsx;

/// How many interpreters of interpreters there are at most; the kernel follows no more.
const MOST: usize = 5;
/// What a script begins with is no longer than this.
const FIRST_LINE: u64 = 256;
/// What scripts are called whose interpreter is named before them.
const SCRIPTS: &[&str] = &[
    "cjs", "jar", "js", "mjs", "mts", "php", "pl", "py", "rb", "sh", "ts",
];

/// A file that a program cannot start without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The file, without links.
    pub file: PathBuf,
    /// What to grant so that it, and what usually belongs to it, can be read: the file, or a folder above it.
    pub grant: PathBuf,
}

/// What this command line needs, as far as can be told without running it: the program, whatever interprets it, the virtual
/// environment of a Python program, and a script that is its first argument. `path` is its variable `PATH`, `cwd` where it
/// starts. Looks at files: not for an async thread.
///
/// # Errors
/// The name that no program is found by.
pub fn needs(argv: &[String], path: &str, cwd: &Path) -> Result<Vec<Need>, String> {
    let mut needs = Vec::new();
    let mut next = argv.first().cloned();
    for _ in 0..MOST {
        let Some(name) = next.take() else { break };
        let found = find(&name, path, cwd).ok_or(name)?;
        if let Some(file) = environment(&found) {
            add(&mut needs, file);
        }
        let Ok(file) = found.canonicalize() else {
            return Err(found.display().to_string());
        };
        if let Some(words) = first_line(&file) {
            let mut words = words.into_iter();
            let interpreter = words.next();
            let is_env = interpreter
                .as_deref()
                .is_some_and(|name| Path::new(name).file_name() == Some("env".as_ref()));
            next = if is_env {
                words.find(|word| !word.starts_with('-') && !word.contains('='))
            } else {
                interpreter
            };
        }
        add(&mut needs, file);
    }
    let script = argv.iter().skip(1).find(|word| !word.starts_with('-'));
    let script = script.map(|word| cwd.join(word)).filter(|script| {
        let extension = script.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| SCRIPTS.contains(&extension)) && script.is_file()
    });
    if let Some(script) = script.and_then(|script| script.canonicalize().ok()) {
        add(&mut needs, script);
    }
    Ok(needs)
}

fn add(needs: &mut Vec<Need>, file: PathBuf) {
    let grant = belongs_to(&file);
    if !needs.iter().any(|need| need.file == file) {
        needs.push(Need { file, grant });
    }
}

/// As a shell finds it.
fn find(name: &str, path: &str, cwd: &Path) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(cwd.join(name)).filter(|found| found.is_file());
    }
    fsx::find_program(OsStr::new(path), name)
}

/// The words after `#!`, where a file begins so.
fn first_line(file: &Path) -> Option<Vec<String>> {
    let mut begins = Vec::new();
    let opened = File::open(file).ok()?;
    opened.take(FIRST_LINE).read_to_end(&mut begins).ok()?;
    let line = begins
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let line = String::from_utf8_lossy(line);
    Some(line.split_whitespace().map(ToOwned::to_owned).collect())
}

/// What says which virtual environment a Python interpreter is called in, by a link.
fn environment(called: &Path) -> Option<PathBuf> {
    let folder = called.parent()?.parent()?.canonicalize().ok()?;
    Some(folder.join("pyvenv.cfg")).filter(|file| file.is_file())
}

/// The folder that what a program is made of usually lies in together.
fn belongs_to(file: &Path) -> PathBuf {
    let modules = file
        .ancestors()
        .filter(|folder| folder.ends_with("node_modules"));
    if let Some(outermost) = modules.last() {
        return outermost.to_owned();
    }
    let Some(folder) = file.parent() else {
        return file.to_owned();
    };
    if file.ends_with("pyvenv.cfg") {
        return folder.to_owned();
    }
    let prefix = folder.parent().filter(|_| folder.ends_with("bin"));
    match prefix {
        // And not a whole home folder for a program in `~/bin`.
        Some(prefix) if prefix.join("lib").is_dir() || prefix.join("pyvenv.cfg").is_file() => {
            prefix.to_owned()
        }
        _ => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::fsx;

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fsx::write_atomic(path, text.as_bytes(), 0o755).expect("written");
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn grants(needs: &[Need], root: &Path) -> Vec<String> {
        let below = |need: &Need| {
            let below = need.grant.strip_prefix(root).unwrap_or(&need.grant);
            below.display().to_string()
        };
        needs.iter().map(below).collect()
    }

    #[test]
    fn what_interprets_a_program_is_needed_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it is there");
        std::fs::create_dir_all(root.join("python/lib")).expect("created");
        write(&root.join("python/bin/python3.11"), "binary");
        write(&root.join("venv/pyvenv.cfg"), "home = elsewhere\n");
        std::fs::create_dir_all(root.join("venv/bin")).expect("created");
        let python = root.join("venv/bin/python");
        symlink(root.join("python/bin/python3.11"), &python).expect("a link");
        let server = root.join("venv/bin/server");
        write(&server, &format!("#!{}\nimport it\n", python.display()));
        let called = server.display().to_string();
        let found = needs(&words(&[&called]), "", &root).expect("found");
        assert_eq!(grants(&found, &root), ["venv", "venv", "python"]);
    }

    #[test]
    fn a_script_that_env_finds_the_interpreter_of() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it is there");
        write(&root.join("bin/node"), "binary");
        let script = root.join("p/node_modules/@a/b/node_modules/c/index.js");
        write(&script, "#!/usr/bin/env -S node --flag\n");
        let path = root.join("bin").display().to_string();
        let called = script.display().to_string();
        let by_itself = needs(&words(&[&called]), &path, &root).expect("found");
        let env = by_itself.first().map(|need| need.grant.clone());
        assert_eq!(env, Some(root.join("p/node_modules")));
        assert_eq!(
            by_itself.last().map(|need| need.file.clone()),
            Some(root.join("bin/node"))
        );
        // A program in a folder with nothing around it is granted alone.
        let as_argument = needs(&words(&["node", "--flag", &called, "x.js"]), &path, &root);
        let as_argument = as_argument.expect("found");
        assert_eq!(grants(&as_argument, &root), ["bin/node", "p/node_modules"]);
        assert_eq!(needs(&words(&["nod"]), &path, &root), Err("nod".to_owned()));
        // Nobody's folder is looked in because a path has an empty place.
        assert_eq!(
            needs(&words(&["node"]), ":.", &root.join("bin")),
            Err("node".to_owned())
        );
    }
}
