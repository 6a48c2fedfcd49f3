//! The one integration test binary: everything here goes through the built `toolhatch`, or reads the project's own files.
//!
//! Tests of one subject are one file here; what they share is in `support`.

#[cfg(test)]
mod support {
    //! What the tests share.

    pub mod env;
    pub mod guests;
    pub mod http;
    pub mod process;
    pub mod pty;
    pub mod source;
}

#[cfg(test)]
mod errors;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod wit;

/// A file that is not listed above is not compiled, and its tests pass for ever.
#[test]
fn every_file_of_tests_is_listed() {
    use support::source::rust_files;

    let listed: Vec<&str> = include_str!("main.rs")
        .lines()
        .filter_map(|line| {
            let declared = line.trim().trim_start_matches("pub ");
            declared.strip_prefix("mod ")?.strip_suffix(';')
        })
        .collect();
    let forgotten: Vec<&str> = rust_files(&["tests"])
        .map(|file| file.path.as_str())
        .filter(|path| !is_listed(path, &listed))
        .collect();
    assert_eq!(forgotten, Vec::<&str>::new(), "list them in tests/it/main.rs");
}

#[cfg(test)]
fn is_listed(path: &str, listed: &[&str]) -> bool {
    let below = path
        .strip_prefix("tests/it/support/")
        .or_else(|| path.strip_prefix("tests/it/"));
    // A second folder of tests would be a second binary to link.
    let Some(name) = below.and_then(|name| name.strip_suffix(".rs")) else {
        return false;
    };
    // A file in a folder belongs to the file of the folder's name, which declares it.
    let first = name.split('/').next().unwrap_or(name);
    name == "main" || listed.contains(&first)
}
