//! Properties: what was compared and applied is what the command left.

mod copies;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::config::ProtectedPaths;
use crate::ids::CallId;
use crate::permission::Sensitive;

/// What is at a path of a small tree.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    File(Vec<u8>, bool),
    Link(&'static str),
    Folder(BTreeMap<&'static str, Thing>),
}

fn tree() -> impl Strategy<Value = BTreeMap<&'static str, Thing>> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let leaf = prop_oneof![
        (prop::collection::vec(any::<u8>(), 0..4), any::<bool>())
            .prop_map(|(bytes, is_program)| Thing::File(bytes, is_program)),
        prop::sample::select(vec!["a", "b", "c"]).prop_map(Thing::Link),
    ];
    let thing = leaf.prop_recursive(3, 12, 3, move |inner| {
        prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c"]), inner, 0..3)
            .prop_map(Thing::Folder)
    });
    prop::collection::btree_map(name, thing, 0..3)
}

fn build(root: &Path, things: &BTreeMap<&'static str, Thing>) {
    std::fs::create_dir_all(root).expect("made");
    for (name, thing) in things {
        let path = root.join(name);
        match thing {
            Thing::File(bytes, is_program) => {
                let mode = if *is_program { 0o755 } else { 0o644 };
                crate::fsx::write_atomic(&path, bytes, 0o644).expect("written");
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))
                    .expect("set");
            }
            Thing::Link(target) => symlink(target, &path).expect("made"),
            Thing::Folder(things) => build(&path, things),
        }
    }
}

/// The upper folder that an overlay would have: what is new or different, a whiteout for what is gone, and an opaque folder
/// where one took the place of another.
fn overlay(
    upper: &Path,
    before: &BTreeMap<&'static str, Thing>,
    after: &BTreeMap<&'static str, Thing>,
) {
    std::fs::create_dir_all(upper).expect("made");
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        let kind = rustix::fs::FileType::CharacterDevice;
        rustix::fs::mknodat(
            rustix::fs::CWD,
            upper.join(name),
            kind,
            rustix::fs::Mode::empty(),
            0,
        )
        .expect("root");
    }
    for (name, thing) in after {
        let path = upper.join(name);
        match (before.get(name), thing) {
            (Some(old), new) if old == new => {}
            (Some(Thing::Folder(old)), Thing::Folder(new)) if old.len() % 2 == 0 => {
                overlay(&path, old, new)
            }
            (Some(_), Thing::Folder(new)) => {
                build(&path, new);
                let flags = rustix::fs::XattrFlags::empty();
                rustix::fs::setxattr(&path, "user.overlay.opaque", b"y", flags).expect("set");
            }
            (_, new) => build(upper, &BTreeMap::from([(*name, new.clone())])),
        }
    }
}

fn read(root: &Path) -> BTreeMap<PathBuf, Node> {
    let handle = tree::open_root(root).expect("opened");
    let mut seen = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let names = tree::open_folder(&handle, &folder)
            .and_then(tree::list)
            .expect("listed");
        for path in names.into_iter().map(|name| folder.join(name)) {
            let node = tree::look(&handle, &path, 0)
                .expect("read")
                .expect("there")
                .node;
            if node.is_folder() {
                open.push(path.clone());
            }
            seen.insert(path, node);
        }
    }
    seen
}

fn rules() -> Rules {
    Rules {
        protected: ProtectedPaths::default(),
        sensitive: Sensitive::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn what_is_applied_is_what_the_command_left(before in tree(), after in tree()) {
        // Whiteouts are devices.
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let home = tempfile::tempdir().expect("a folder");
        let home = home.path().canonicalize().expect("there");
        let (lower, wanted) = (home.join("lower"), home.join("wanted"));
        build(&lower, &before);
        build(&wanted, &after);
        let kept = Kept::new(home.join("changes"));
        let draft = Draft::begin(&kept, CallId::generate()).expect("begun");
        let layer = draft.layer("0-0", &lower).expect("made");
        overlay(&layer.upper, &before, &after);
        let changes = compare(&layer.upper, &lower, i128::MAX, &BTreeSet::new()).expect("compared");
        let is_expected = read(&lower) == read(&wanted);
        prop_assert_eq!(changes.is_empty(), is_expected);
        let layers = vec![LayerChanges {
            name: layer.name,
            host: lower.clone().into(),
            container: "/workspace".to_owned(),
            changes,
        }];
        let set = draft.keep("image", &[], layers).expect("kept");
        drop(draft);
        let plan = Plan::make(&kept, &set, &rules(), &|_| true).expect("no conflict");
        // Links of a tree like this may lead in circles, which are refused.
        if !plan.refused.is_empty() {
            return Ok(());
        }
        let applied = plan.run();
        prop_assert!(applied.error.is_none(), "{:?}", applied.error);
        prop_assert_eq!(read(&lower), read(&wanted));
        // Once more, as where a process was killed before it wrote down what it had done.
        let again = Plan::make(&kept, &set, &rules(), &|_| true).expect("no conflict").run();
        prop_assert!(again.error.is_none(), "{:?}", again.error);
        let left = kept.settle(set, &applied.done).expect("settled");
        prop_assert_eq!(left.count(), 0);
        prop_assert_eq!(read(&lower), read(&wanted));
    }

    #[test]
    fn a_name_is_read_as_it_is_written(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        use std::os::unix::ffi::OsStringExt as _;
        let name = Name::from(PathBuf::from(std::ffi::OsString::from_vec(bytes)));
        prop_assert_eq!(Name::parse(&name.to_string()), Some(name));
    }
}

#[test]
fn links_that_lead_out_are_known() {
    let look = |path: &Path| match path.to_str() {
        Some("in") => Some(PathBuf::from("a/b")),
        Some("out") => Some(PathBuf::from("../x")),
        Some("abs") => Some(PathBuf::from("/x")),
        Some("loop") => Some(PathBuf::from("loop")),
        _ => None,
    };
    for (link, target, expected) in [
        ("x", "y", false),
        ("a/x", "../y", false),
        ("a/x", "../../y", true),
        ("x", "/etc", true),
        ("x", "..", true),
        ("a/b/x", "../../in/c", false),
        ("x", "in/../../y", false),
        ("x", "in/../../../y", true),
        ("x", "out", true),
        ("x", "abs/y", true),
        ("x", "loop", true),
        ("x", "missing/y", false),
    ] {
        let found = links::leads_out(Path::new(link), Path::new(target), look);
        assert_eq!(found, expected, "{link} -> {target}");
    }
}
