//! A text as the configuration of the system, of a user, or of a project: reading it never panics, and a project only
//! ever takes away.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use toolhatch::config::{Config, Environment, Paths};

/// Places of which only one holds a file: the system's, the user's, the project's.
static PLACES: LazyLock<[(PathBuf, Paths); 3]> = LazyLock::new(|| {
    let root = std::env::temp_dir().join(format!("toolhatch-fuzz-{}", std::process::id()));
    fs::create_dir_all(&root).expect("a folder can be made");
    let (file, none) = (root.join("config.toml"), root.join("none.toml"));
    let paths = Paths {
        system_config: none.clone(),
        user_config: None,
        project_config: none,
        home: root.join("data"),
        current: root.clone(),
        workspace: root.clone(),
        user_home: Some(root),
    };
    let (mut system, mut user, mut project) = (paths.clone(), paths.clone(), paths);
    system.system_config.clone_from(&file);
    user.user_config = Some(file.clone());
    project.project_config.clone_from(&file);
    [system, user, project].map(|paths| (file.clone(), paths))
});

/// What only the operator and the user may give, next to what there is where nobody says anything.
fn check_project(project: &Config, built_in: &Config) {
    assert_eq!(project.limits, project.limits.within(&built_in.limits));
    assert_eq!(project.ceiling, project.ceiling.within(&built_in.ceiling));
    for (asked, most) in [
        (project.concurrency, built_in.concurrency),
        (project.per_caller, built_in.per_caller),
        (project.queue, built_in.queue),
        (project.per_minute, built_in.per_minute),
        (project.attempts, built_in.attempts),
        (project.compile_jobs, built_in.compile_jobs),
    ] {
        assert!(asked <= most);
    }
    assert!(project.breaker >= built_in.breaker);
    assert!(project.allow_flag <= built_in.allow_flag);
    assert!(project.plugins_enabled <= built_in.plugins_enabled);
    assert!(project.approvals_default >= built_in.approvals_default);
    assert!(project.approvals_ttl <= built_in.approvals_ttl);
    assert_eq!(project.yes, built_in.yes);
    assert_eq!(project.approvers, built_in.approvers);
    assert_eq!(project.policy_default, built_in.policy_default);
    assert_eq!(project.policy_user, built_in.policy_user);
    assert_eq!(project.embedding, built_in.embedding);
    assert_eq!(project.search_paths, built_in.search_paths);
    assert_eq!(project.cache_dir, built_in.cache_dir);
}

fuzz_target!(|text: &str| {
    for (index, (file, paths)) in PLACES.iter().enumerate() {
        // All three are the same file.
        if index == 0 {
            fs::write(file, text).expect("the file can be written");
        }
        let Ok(config) = Config::load(paths, &Environment::default(), &[]) else {
            continue;
        };
        assert!(!config.entries().is_empty());
        if paths.project_config == *file {
            check_project(&config, &Config::built_in(paths));
        }
    }
});
