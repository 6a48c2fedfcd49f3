//! Arbitrary manifests and texts that look like them.

mod container;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::manifest::permissions::{
    Ask, HttpAsk, InjectAsk, PermissionEntry, Permissions, SecretAsk,
};
use crate::manifest::{Lifecycle, LimitRequest, Manifest, Risk, ToolSpec};
use crate::permission::{Access, Capability, Kind, Scheme};

const NAME: &str = "[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4}){0,2}";

/// Text without control characters other than line ends and tabs.
fn text() -> impl Strategy<Value = String> {
    "[ -~äß→\u{1F980}\n\t]{0,30}"
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn schema() -> impl Strategy<Value = Value> {
    btree_map("properties|required|[a-z$]{1,8}|.{0,3}", json(), 0..4).prop_map(|map| {
        let mut schema: Map<String, Value> = map.into_iter().collect();
        schema.insert("type".to_owned(), "object".into());
        Value::Object(schema)
    })
}

fn tool() -> impl Strategy<Value = ToolSpec> {
    let risk = prop_oneof![Just(Risk::Low), Just(Risk::Medium), Just(Risk::High)];
    let container = of(container::container());
    let about = (NAME, of(text()), of(schema()), of(schema()));
    (about, any::<[bool; 3]>(), risk, container).prop_map(
        |(
            (name, description, mut input_schema, output_schema),
            [idempotent, pure, untrusted_output],
            risk,
            container,
        )| {
            let container = container.filter(|_| description.is_some() && input_schema.is_some());
            if let Some(Value::Object(schema)) = &mut input_schema
                && container.is_some()
            {
                schema.insert("properties".to_owned(), container::properties());
            }
            ToolSpec {
                name,
                description,
                input_schema,
                output_schema,
                idempotent: idempotent || pure,
                pure,
                risk,
                untrusted_output,
                coerce: !untrusted_output,
                container,
            }
        },
    )
}

fn capability() -> impl Strategy<Value = Ask> {
    let written = prop_oneof![
        Just((Kind::NetworkHttp, "*")),
        Just((
            Kind::NetworkHttp,
            "https://*.example.com:*/a/**;methods=GET;private"
        )),
        Just((Kind::NetworkTcp, "*:*")),
        Just((Kind::NetworkTcp, "[fd00::/8]:53")),
        Just((Kind::NetworkUdp, "example.com:1;private")),
        Just((Kind::Env, "LANG")),
        Just((Kind::Env, "*")),
        Just((Kind::Secrets, "A;host=example.com;format=%3B{}")),
        Just((Kind::Secrets, "*")),
        Just((Kind::Subprocess, "image:a%3Bb;command:c")),
        Just((Kind::Subprocess, "*")),
        Just((Kind::ToolInvoke, "files.*")),
        Just((Kind::ToolInvoke, "*")),
        Just((Kind::Documents, "a*")),
    ];
    written.prop_map(|(kind, text)| Ask::Scope(Capability::parse(kind, text).expect(text)))
}

fn ask() -> impl Strategy<Value = Ask> {
    let path = prop_oneof![
        Just("*".to_owned()),
        "(\\$\\{workspace\\}|\\$\\{home\\})(/[a-zä \"']{1,5}){0,2}",
        "(/[a-zä \"'$]{1,5}){1,3}",
    ];
    let access = prop_oneof![Just(Access::Read), Just(Access::Write)];
    let file = (access, path, of("/[a-z ]{0,5}")).prop_map(|(access, path, mount)| Ask::File {
        access,
        path,
        mount,
    });
    let methods = of(vec("[A-Z]{1,5}", 1..3));
    let scheme = of(prop_oneof![Just(Scheme::Http), Just(Scheme::Https)]);
    let http = (
        "[a-z]{1,5}\\.example",
        scheme,
        of(1_u16..),
        methods,
        of(vec("/[a-z]{1,3}(/\\*\\*)?", 1..3)),
        any::<bool>(),
    )
        .prop_map(|(host, scheme, port, methods, paths, private)| {
            Ask::Http(HttpAsk {
                host,
                scheme,
                port,
                methods,
                paths,
                private,
            })
        });
    let inject = of((
        "[a-z]{1,5}\\.example",
        of("[A-Za-z-]{1,5}"),
        of("[a-zA-Z \"]{0,5}\\{\\}"),
    ))
    .prop_map(|inject| {
        inject.map(|(host, header, format)| InjectAsk {
            host,
            header,
            format,
        })
    });
    let secret = ("[A-Z_]{1,8}", inject, any::<bool>()).prop_map(|(name, inject, reveal)| {
        Ask::Secret(SecretAsk {
            name,
            inject,
            reveal,
        })
    });
    prop_oneof![file, http, secret, capability()]
}

fn permissions() -> impl Strategy<Value = Permissions> {
    let entry =
        (ask(), any::<bool>()).prop_map(|(ask, optional)| PermissionEntry { ask, optional });
    (vec(entry, 0..6), any::<[bool; 2]>(), of(1_u64..)).prop_map(
        |(mut entries, [deterministic, checkpoint], quota)| {
            if let Some(quota) = quota {
                let ask = Capability::parse(Kind::State, &quota.to_string()).expect("a quota");
                entries.push(PermissionEntry {
                    ask: Ask::Scope(ask),
                    optional: false,
                });
            }
            if checkpoint {
                let ask = Capability::parse(Kind::Checkpoint, "on").expect("on");
                entries.push(PermissionEntry {
                    ask: Ask::Scope(ask),
                    optional: true,
                });
            }
            // The order in which a file lists them.
            entries.sort_by_key(|entry| (entry.optional, entry.ask.kind()));
            Permissions {
                entries,
                deterministic,
            }
        },
    )
}

fn limits() -> impl Strategy<Value = LimitRequest> {
    let size = || of(1..=u64::MAX);
    let count = || of(1..=i64::MAX.cast_unsigned());
    (
        of(1_u64..),
        [size(), size(), size(), size()],
        of(1..=u64::from(u32::MAX)),
        of(1_u32..=100_000),
        count(),
        count(),
    )
        .prop_map(
            |(
                timeout,
                [memory, output, stdio, http_bytes],
                table_elements,
                instances,
                host_calls,
                fuel,
            )| LimitRequest {
                timeout: timeout.map(std::time::Duration::from_millis),
                memory,
                output,
                stdio,
                http_bytes,
                table_elements,
                instances,
                host_calls,
                fuel,
            },
        )
}

/// A valid manifest.
pub(super) fn manifest() -> impl Strategy<Value = Manifest> {
    let version = prop_oneof![
        "[0-9]\\.[0-9]\\.[0-9]",
        "1\\.0\\.0-[a-z]{1,3}\\.[1-9](\\+[a-z]{1,3})?"
    ];
    let range = prop_oneof![
        Just("*"),
        Just("^1"),
        Just(">=1.2, <2"),
        Just("=1.0.0-rc.1"),
        Just("~0.3.1")
    ];
    let about = (NAME, version, text(), vec(text(), 0..3), of(text()));
    let lifecycle = prop_oneof![
        Just(Lifecycle::Call),
        (1_u64..86_400_000).prop_map(|ms| Lifecycle::Session {
            idle: std::time::Duration::from_millis(ms)
        })
    ];
    let world = of((Just("ns:pkg/world@0.1.0".to_owned()), lifecycle));
    let config = btree_map("[ -~ä]{1,8}", any::<String>(), 0..3);
    let rest = (
        world,
        btree_map(NAME, range, 0..3),
        vec(tool(), 0..3),
        permissions(),
        limits(),
        config,
    );
    (about, rest).prop_map(
        |(
            (name, version, description, authors, license),
            (world, ranges, mut tools, permissions, mut limits, config),
        )| {
            tools.sort_by(|a, b| a.name.cmp(&b.name));
            tools.dedup_by(|a, b| a.name == b.name);
            if !permissions.deterministic {
                limits.fuel = None;
            }
            Manifest {
                dependencies: ranges
                    .into_iter()
                    .filter(|(other, _)| *other != name)
                    .map(|(other, range)| {
                        (
                            other.parse().expect("kebab-case"),
                            range.parse().expect("a range"),
                        )
                    })
                    .collect(),
                name: name.parse().expect("kebab-case"),
                version: version.parse().expect("a version"),
                description,
                authors,
                license,
                lifecycle: match &world {
                    Some((_, lifecycle)) if !permissions.deterministic => *lifecycle,
                    _ => Lifecycle::Call,
                },
                world: world.map(|(world, _)| world),
                tools,
                permissions,
                limits,
                config,
            }
        },
    )
}

/// Lines made of the words of manifests.
pub(super) fn toml_like() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "schema|name|version|tools|permissions|limits|optional|file_read|network_http|input_schema|timeout|container|command|image",
        "\\[\\[?[a-z_.]{1,20}\\]?\\]",
        "[=.,{}\\[\\]\"'\n]",
        " = [0-9]{1,20}(\\.[0-9]e[0-9]{1,4})?\n",
        " = \"[ -~]{0,10}\"\n",
        " = (nan|inf|-0.0|0x[0-9a-f]{1,20}|1979-05-27T07:32:00Z)\n",
        " = [\\[{]{1,5}",
    ];
    vec(word, 0..40).prop_map(|words| words.concat())
}
