//! Names of images, and patterns over them.

use super::*;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

#[test]
fn names_are_read_as_docker_reads_them() {
    for (text, full) in [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:stable-slim", "docker.io/library/debian:stable-slim"),
        ("docker.io/debian", "docker.io/library/debian:latest"),
        ("index.docker.io/a/b", "docker.io/a/b:latest"),
        ("team/app:1.2", "docker.io/team/app:1.2"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x"),
        ("ghcr.io/team/a__b-c.d", "ghcr.io/team/a__b-c.d:latest"),
        ("[::1]:5000/a", "[::1]:5000/a:latest"),
    ] {
        let image: ImageReference = text.parse().expect(text);
        assert_eq!(image.to_string(), full);
        assert!(!image.is_pinned(), "{text}");
    }
    let one = digest("one");
    for (text, full) in [
        (
            format!("debian@{one}"),
            format!("docker.io/library/debian@{one}"),
        ),
        (format!("a/b:c@{one}"), format!("docker.io/a/b:c@{one}")),
        (one.to_string(), one.to_string()),
    ] {
        let image: ImageReference = text.parse().expect(&text);
        assert_eq!(image.to_string(), full);
        assert!(image.is_pinned(), "{text}");
    }
}

#[test]
fn what_names_no_image_is_refused() {
    for text in [
        "",
        " debian",
        "Debian",
        "debian:",
        "debian:-x",
        "debian:a:b",
        "-debian",
        "a//b",
        "a/../b",
        "../a",
        "./a",
        "a..b/c",
        "-a.b/c",
        "a.b:x/c",
        "a.b:/c",
        "a.b:0/c",
        "a/b_",
        "a/*",
        "--privileged",
        "debian@",
        "debian@sha256:12",
        "https://docker.io/library/debian",
        "me:pw@docker.io/library/debian",
        "a\n",
    ] {
        text.parse::<ImageReference>().expect_err(text);
    }
}

#[test]
fn patterns_mean_repositories_digests_and_ids() {
    let (one, two) = (digest("one"), digest("two"));
    let pinned = format!("ghcr.io/team/app@{one}");
    for (pattern, image, digests, fits) in [
        ("docker.io/library/*", "debian", &[][..], true),
        ("docker.io/library/*", "team/app", &[], false),
        ("docker.io/**", "team/app:1", &[], true),
        ("ghcr.io/team/app", "ghcr.io/team/app:2", &[], true),
        ("ghcr.io/team/app", "ghcr.io/team/app-evil", &[], false),
        ("ghcr.io/team/app", "ghcr.io.evil/team/app", &[], false),
        ("ghcr.io/team/app", &two.to_string(), &[], false),
        (&one.to_string(), "debian", &[two, one], true),
        (&one.to_string(), "debian", &[two], false),
        (&one.to_string(), &one.to_string(), &[], true),
        (&one.to_string(), &pinned, &[], true),
        (&pinned, &pinned, &[], true),
        (&pinned, "ghcr.io/team/app", &[one], true),
        (&pinned, "ghcr.io/team/app", &[two], false),
        (&pinned, "debian", &[one], false),
    ] {
        let parsed: ImagePattern = pattern.parse().expect(pattern);
        assert_eq!(parsed.to_string(), pattern);
        let image: ImageReference = image.parse().expect(image);
        assert_eq!(parsed.matches(&image, digests), fits, "{pattern} {image}");
    }
}

#[test]
fn what_is_no_pattern_is_refused_with_the_reason() {
    for (text, reason) in [
        ("debian", "whole name"),
        ("docker.io/debian", "whole name"),
        ("*", "whole name"),
        ("**", "whole name"),
        ("team/*", "whole name"),
        ("*.example/app", "a registry is a host"),
        ("ghcr.io/team/app:1", "a tag can be moved"),
        ("ghcr.io/Team/app", "lower-case"),
        ("ghcr.io/a**", "`**` must be a whole part"),
        ("ghcr.io/", "lower-case"),
        ("sha256:12", "64 lower-case"),
        ("ghcr.io/app@sha512:12", "64 lower-case"),
    ] {
        let error = text.parse::<ImagePattern>().expect_err(text);
        assert!(error.to_string().contains(reason), "{text}: {error}");
    }
}
