//! Tables of small catalogues, and a comparison with trying every combination.

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> PluginName {
    text.parse().expect("a valid name")
}

fn ranges(list: &[(&str, &str)]) -> Ranges {
    list.iter()
        .map(|(plugin, range)| (name(plugin), range.parse().expect("a valid range")))
        .collect()
}

type Catalogue = BTreeMap<PluginName, Vec<Candidate>>;

/// A plugin, a version of it, and what that depends on.
type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

fn catalogue(rows: &[Row<'_>]) -> Catalogue {
    let mut all = Catalogue::new();
    for (plugin, version, dependencies) in rows {
        all.entry(name(plugin)).or_default().push(Candidate {
            version: version.parse().expect("a valid version"),
            dependencies: ranges(dependencies),
        });
    }
    all
}

fn solve(needs: &[(&str, &str)], all: &Catalogue) -> Result<String> {
    let lookup = |plugin: &PluginName| all.get(plugin).cloned().unwrap_or_default();
    let chosen = resolve(&name("app"), &ranges(needs), &lookup)?;
    let list: Vec<String> = chosen
        .iter()
        .map(|(plugin, version)| format!("{plugin} {version}"))
        .collect();
    Ok(list.join(", "))
}

#[test]
fn the_highest_version_that_suits_everybody_is_chosen() {
    let all = catalogue(&[
        ("base", "1.0.0", &[]),
        ("base", "1.10.0", &[]),
        ("base", "1.9.0", &[]),
        ("base", "2.0.0-rc.1", &[]),
        ("base", "2.0.0", &[]),
        ("base", "3.0.0-alpha", &[]),
        ("helper", "1.0.0", &[("base", "<1.10")]),
        ("helper", "0.9.0", &[]),
    ]);
    for (needs, expected) in [
        (&[("base", ">=1.0.0")][..], "base 2.0.0"),
        (&[("base", "^1")], "base 1.10.0"),
        (&[("base", "~1.9")], "base 1.9.0"),
        (&[("base", "=2.0.0-rc.1")], "base 2.0.0-rc.1"),
        (&[("base", ">=3.0.0-alpha")], "base 3.0.0-alpha"),
        (
            &[("base", "*"), ("helper", "^1")],
            "base 1.9.0, helper 1.0.0",
        ),
        (
            &[("base", "^2"), ("helper", "*")],
            "base 2.0.0, helper 0.9.0",
        ),
        (&[("helper", "*")], "base 1.9.0, helper 1.0.0"),
        (&[], ""),
    ] {
        assert_eq!(
            solve(needs, &all).expect("there is one"),
            expected,
            "{needs:?}"
        );
    }
}

#[test]
fn a_conflict_names_who_asks_for_what() {
    let all = catalogue(&[
        ("base", "1.0.0", &[]),
        ("base", "2.0.0", &[]),
        ("helper", "1.0.0", &[("base", "^1")]),
    ]);
    let error = solve(&[("base", "^2"), ("helper", "^1")], &all).expect_err("a conflict");
    assert_eq!(error.code(), Code::E3103);
    assert_eq!(
        error.to_string(),
        "resolving the dependencies of app: no version of base suits everybody: app asks for ^2, \
         helper 1.0.0 asks for ^1; there is 2.0.0, 1.0.0"
    );
}

#[test]
fn a_plugin_that_is_not_there_is_named_with_who_needs_it() {
    let all = catalogue(&[("helper", "1.0.0", &[("base", "^1")])]);
    let error = solve(&[("helper", "*")], &all).expect_err("missing");
    assert_eq!(error.code(), Code::E3101);
    assert_eq!(
        error.to_string(),
        "resolving the dependencies of app: there is no plugin base (helper 1.0.0 asks for ^1)"
    );
}

#[test]
fn a_circle_is_named_and_left_where_an_older_version_can() {
    let all = catalogue(&[
        ("a", "1.0.0", &[("b", "*")]),
        ("b", "1.0.0", &[("c", "*")]),
        ("c", "2.0.0", &[("a", "*")]),
    ]);
    let error = solve(&[("a", "*")], &all).expect_err("a circle");
    assert_eq!(error.code(), Code::E3103);
    assert!(
        error.to_string().ends_with("in a circle: c → a → b → c"),
        "{error}"
    );

    let to_root = catalogue(&[("a", "1.0.0", &[("app", "*")])]);
    let error = solve(&[("a", "*")], &to_root).expect_err("a circle");
    assert!(
        error.to_string().ends_with("in a circle: a → app"),
        "{error}"
    );

    let mut older = all;
    let old = catalogue(&[("c", "1.0.0", &[])]);
    older
        .get_mut(&name("c"))
        .expect("there")
        .extend(old[&name("c")].clone());
    assert_eq!(
        solve(&[("a", "*")], &older).expect("c 1.0.0"),
        "a 1.0.0, b 1.0.0, c 1.0.0"
    );
}

#[test]
fn a_hostile_catalogue_does_not_keep_the_search_for_ever() {
    // Twenty plugins of twenty versions, none of which suits the last one.
    let mut all = Catalogue::new();
    for plugin in 0..20 {
        for version in 0..20 {
            all.entry(name(&format!("p{plugin:02}")))
                .or_default()
                .push(Candidate {
                    version: Version::new(version, 0, 0),
                    dependencies: ranges(&[("z", ">=2")]),
                });
        }
    }
    all.insert(
        name("z"),
        catalogue(&[("z", "1.0.0", &[])])[&name("z")].clone(),
    );
    let needs: Vec<(String, &str)> = (0..20)
        .map(|plugin| (format!("p{plugin:02}"), "*"))
        .collect();
    let needs: Vec<(&str, &str)> = needs
        .iter()
        .map(|(plugin, range)| (plugin.as_str(), *range))
        .collect();
    let error = solve(&needs, &all).expect_err("no solution");
    assert_eq!(error.code(), Code::E3103);
}

/// Every combination of at most one version per plugin, checked by definition.
fn any_solution(needs: &Ranges, all: &Catalogue) -> bool {
    fn circle_free(chosen: &BTreeMap<&PluginName, &Candidate>) -> bool {
        // Taking away, again and again, what needs nothing that is left.
        let mut left: Vec<_> = chosen.keys().copied().collect();
        loop {
            let before = left.len();
            let still = left.clone();
            left.retain(|plugin| {
                chosen[plugin]
                    .dependencies
                    .keys()
                    .any(|need| still.contains(&need))
            });
            if left.is_empty() {
                return true;
            }
            if left.len() == before {
                return false;
            }
        }
    }
    fn rec<'a>(
        rest: &[&'a PluginName],
        chosen: &mut BTreeMap<&'a PluginName, &'a Candidate>,
        needs: &Ranges,
        all: &'a Catalogue,
    ) -> bool {
        let Some((plugin, rest)) = rest.split_first() else {
            let met = |ranges: &Ranges| {
                ranges.iter().all(|(need, range)| {
                    chosen
                        .get(need)
                        .is_some_and(|one| range.matches(&one.version))
                })
            };
            return met(needs)
                && chosen
                    .values()
                    .all(|candidate| met(&candidate.dependencies))
                && circle_free(chosen);
        };
        if rec(rest, chosen, needs, all) {
            return true;
        }
        for candidate in &all[*plugin] {
            chosen.insert(plugin, candidate);
            let found = rec(rest, chosen, needs, all);
            chosen.remove(plugin);
            if found {
                return true;
            }
        }
        false
    }
    let plugins: Vec<_> = all.keys().collect();
    rec(&plugins, &mut BTreeMap::new(), needs, all)
}

fn some_ranges() -> impl Strategy<Value = Ranges> {
    let range = prop_oneof!["=[1-3]\\.0\\.0", ">=[1-3]", "<[2-3]", Just("*".to_owned())];
    proptest::collection::btree_map("[a-d]", range, 0..3).prop_map(|map| {
        map.iter()
            .map(|(plugin, range)| (name(plugin), range.parse().expect("valid")))
            .collect()
    })
}

fn some_catalogue() -> impl Strategy<Value = Catalogue> {
    let versions = proptest::collection::btree_map(1_u64..4, some_ranges(), 1..4);
    proptest::collection::btree_map("[a-d]", versions, 1..5).prop_map(|plugins| {
        plugins
            .into_iter()
            .map(|(plugin, versions)| {
                let candidates = versions.into_iter().map(|(major, dependencies)| Candidate {
                    version: Version::new(major, 0, 0),
                    dependencies,
                });
                (name(&plugin), candidates.collect())
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn a_solution_is_found_where_there_is_one_and_it_fits(needs in some_ranges(), all in some_catalogue()) {
        let lookup = |plugin: &PluginName| all.get(plugin).cloned().unwrap_or_default();
        match resolve(&name("app"), &needs, &lookup) {
            Err(_) => prop_assert!(!any_solution(&needs, &all)),
            Ok(chosen) => {
                let of = |plugin: &PluginName| &chosen[plugin];
                let met = |ranges: &Ranges| ranges.iter().all(|(need, range)| range.matches(of(need)));
                prop_assert!(met(&needs));
                for (plugin, version) in &chosen {
                    let candidate = all[plugin].iter().find(|one| one.version == *version);
                    prop_assert!(met(&candidate.expect("from the catalogue").dependencies));
                }
            }
        }
    }
}
