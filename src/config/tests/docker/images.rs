//! Which images may be run, and when they are pulled.

use super::Machine;
use super::shown;
use crate::config::{DockerConfig, ImagePullPolicy, ImageReference};
use crate::ids::Digest;

fn allows(config: &DockerConfig, image: &ImageReference, digests: &[Digest]) -> bool {
    let lists = &config.allowed_images;
    lists.admits(|pattern| pattern.matches(image, digests))
}

#[test]
fn an_image_is_on_the_list_of_every_layer() {
    let one = Digest::of(b"one");
    let machine = Machine::new()
        .system(&format!(
            "[defaults.docker]\nallowed_images = ['docker.io/library/*', 'ghcr.io/team/**', '{one}']\n\
             [enforced.docker]\nallowed_images = ['docker.io/**', '{one}']"
        ))
        .user("docker.allowed_images = ['docker.io/**', 'ghcr.io/**', 'quay.io/**']")
        .project("docker.allowed_images = ['docker.io/library/debian', 'ghcr.io/team/app', 'quay.io/x/y']");
    let config = machine.load().expect("valid");
    let list = shown(&config, "docker.allowed_images");
    let start = "(docker.io/library/*, ghcr.io/team/**, sha256:";
    assert!(list.starts_with(start), "{list}");
    assert!(list.ends_with(" (enforced)"), "{list}");
    assert_eq!(list.matches(" and ").count(), 3, "{list}");
    for (image, digests, allowed) in [
        ("debian", &[][..], true),
        ("alpine", &[], false),
        ("ghcr.io/team/app", &[], false),
        // What the operator knows by its digest may have any name that the others let through.
        ("ghcr.io/team/app", &[one], true),
        ("quay.io/x/y", &[one], true),
        ("quay.io/x/y", &[Digest::of(b"two")], false),
        ("quay.io/other", &[one], false),
    ] {
        let image: ImageReference = image.parse().expect(image);
        let found = allows(&config.docker, &image, digests);
        assert_eq!(found, allowed, "{image} {digests:?}");
    }
}

#[test]
fn without_a_list_every_image_may_be_run_and_with_an_empty_one_none() {
    let image: ImageReference = "quay.io/x/y:z".parse().expect("valid");
    let open = Machine::new().load().expect("valid");
    assert!(allows(&open.docker, &image, &[]));
    let none = Machine::new()
        .project("docker.allowed_images = []")
        .load()
        .expect("valid");
    assert!(!allows(&none.docker, &image, &[]));
}

#[test]
fn the_policy_is_read_in_the_words_of_others_too() {
    for (word, policy) in [
        ("always", ImagePullPolicy::Always),
        ("Always", ImagePullPolicy::Always),
        ("if-not-present", ImagePullPolicy::IfNotPresent),
        ("IfNotPresent", ImagePullPolicy::IfNotPresent),
        ("Never", ImagePullPolicy::Never),
    ] {
        let config = Machine::new()
            .user(&format!("docker.image_pull_policy = '{word}'"))
            .load()
            .expect("valid");
        assert_eq!(config.docker.image_pull_policy, policy, "{word}");
    }
}

#[test]
fn what_names_no_image_is_refused_with_its_place() {
    for (line, expected) in [
        (
            "image = 'Debian'",
            "2:9: docker.image: expected an image such as",
        ),
        ("image = ''", "expected an image"),
        (
            "allowed_images = ['docker.io/**', 'debian']",
            "2:35: docker.allowed_images[1]: \"debian\" does not name images: write the whole name",
        ),
        (
            "allowed_images = ['ghcr.io/team/app:1']",
            "a tag can be moved to another image",
        ),
        (
            "image_pull_policy = 'sometimes'",
            "expected \"always\", \"if-not-present\" or \"never\", found \"sometimes\"",
        ),
    ] {
        let refusal = Machine::new().user(&format!("[docker]\n{line}")).refusal();
        assert!(refusal.contains(expected), "{line}: {refusal}");
    }
}
