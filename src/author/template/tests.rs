use super::*;

fn name(text: &str) -> PluginName {
    text.parse().expect("a name")
}

#[test]
fn a_project_has_its_name_everywhere_and_what_it_builds_with() {
    for language in Language::ALL {
        let files = files(language, &name("word-count"));
        let text = |wanted: &str| {
            let found = files.iter().find(|(path, _)| path == Path::new(wanted));
            &found
                .unwrap_or_else(|| panic!("{language} has no {wanted}"))
                .1
        };
        assert!(
            text("plugin.toml").contains("name = \"word-count\""),
            "{language}"
        );
        assert!(text("README.md").contains("word-count"), "{language}");
        text(".gitignore");
        assert!(
            files.iter().any(|(path, _)| path.starts_with("tests")),
            "{language} has no example calls"
        );
        assert!(
            files
                .iter()
                .any(|(path, _)| path.ends_with("wit/plugin.wit")
                    || path.ends_with("toolhatch-plugin/plugin.wit")),
            "{language} has no WIT"
        );
        for (path, text) in &files {
            assert!(
                !text.contains(PLACEHOLDER),
                "{language}: {}",
                path.display()
            );
            assert!(
                path.is_relative() && !path.to_string_lossy().contains(".."),
                "{}",
                path.display()
            );
        }
        assert!(
            files.windows(2).all(|pair| pair[0].0 != pair[1].0),
            "{language} has a file twice"
        );
    }
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = folder.path().join("full");
    fsx::write_atomic(&folder.path().join("file"), b"mine", 0o644).expect("written");
    std::fs::create_dir(&full).expect("made");
    fsx::write_atomic(&full.join("notes.txt"), b"mine", 0o644).expect("written");
    for place in [&full, &folder.path().join("file")] {
        let error = write(Language::Rust, &name("a"), place).expect_err("it is taken");
        assert_eq!(error.code(), Code::E3004, "{error}");
    }
    assert_eq!(std::fs::read_dir(&full).expect("read").count(), 1);
    let empty = folder.path().join("ein Ordner mit Ümläuten");
    std::fs::create_dir(&empty).expect("made");
    let written = write(Language::Rust, &name("a"), &empty).expect("an empty folder will do");
    assert!(written.iter().all(|path| empty.join(path).is_file()));
}

#[test]
fn names_that_get_in_the_way_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("new");
    for (language, taken) in [
        (Language::Rust, "fn"),
        (Language::Rust, "proc-macro"),
        (Language::Rust, "serde"),
        (Language::Python, "sandbox"),
    ] {
        let error = write(language, &name(taken), &place).expect_err(taken);
        assert_eq!(error.code(), Code::E3004);
        assert!(!place.exists());
    }
}
