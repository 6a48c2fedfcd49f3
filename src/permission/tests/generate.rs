//! Scopes and actions for properties, from vocabularies so small that they often have to do with each other.

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::select;

use crate::permission::{Access, Action, Capability, Kind, Scope};

const PATHS: [&str; 8] = ["/", "/a", "/a/b", "/a/b/c", "/ab", "/a/bc", "/b", "/a.b"];
const NAMES: [&str; 7] = [
    "a.com",
    "x.a.com",
    "y.x.a.com",
    "xa.com",
    "localhost",
    "db.localhost",
    "b.org",
];
const ADDRESSES: [&str; 12] = [
    "8.8.8.8",
    "8.8.4.4",
    "10.0.0.1",
    "10.1.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "169.254.1.1",
    "::1",
    "fd00:ec2::254",
    "fd00::1",
    "2001:4860::1",
    "::ffff:10.0.0.1",
];
const PORTS: [u16; 4] = [80, 443, 8080, 5432];
const METHODS: [&str; 3] = ["GET", "HEAD", "POST"];

fn text(options: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(options).prop_map(str::to_owned)
}

/// Globs of few segments over few letters.
pub(super) fn glob() -> impl Strategy<Value = String> {
    let segment = select(&["a", "b", "ab", "*", "*", "a*", "*b", "a*b", "**", "**"][..]);
    prop::collection::vec(segment, 0..5).prop_map(|segments| format!("/{}", segments.join("/")))
}

/// Request paths over the same letters, some of them ambiguous.
pub(super) fn request_path() -> impl Strategy<Value = String> {
    let segment = select(&["a", "b", "aa", "ab", "aab", "ba", "%61", "c"][..]);
    let plain = prop::collection::vec(segment, 0..4)
        .prop_map(|segments| format!("/{}", segments.join("/")));
    let odd = text(&[
        "/a/../b", "/a%2fb", "/a//b", "/a/./b", "/a/b/", "/a\\b", "/a?x=/b",
    ]);
    prop_oneof![6 => plain, 1 => odd]
}

fn http() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        3 => text(&["*", "*", "x.a.com", "*.a.com", "*.x.a.com"]),
        1 => text(&["*.localhost"]),
        1 => text(&NAMES),
        1 => text(&["8.8.8.8", "10.0.0.1", "169.254.169.254", "[::1]", "[2002:7f00:1::]"]),
    ];
    let options = (
        prop::option::weighted(0.5, glob()),
        prop::option::weighted(0.1, glob()),
        prop::option::weighted(0.4, prop::collection::btree_set(select(&METHODS[..]), 1..3)),
        text(&["", "", ";private", ";metadata"]),
    );
    let scheme = text(&["", "", "http://", "https://"]);
    let port = text(&["", "", "", ":443", ":8080", ":*"]);
    (scheme, host, port, options).prop_map(|(scheme, host, port, (path, and, methods, reach))| {
        let path = path.unwrap_or_default();
        let and = and
            .filter(|_| !path.is_empty())
            .map(|glob| format!(";and={glob}"))
            .unwrap_or_default();
        let methods = methods.map(|methods| {
            let methods: Vec<_> = methods.into_iter().collect();
            format!(";methods={}", methods.join(","))
        });
        let methods = methods.unwrap_or_default();
        format!("{scheme}{host}{port}{path}{and}{methods}{reach}")
    })
}

fn socket() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        text(&["*", "*.a.com", "*.localhost"]),
        text(&NAMES),
        text(&[
            "8.8.8.8",
            "8.8.0.0/16",
            "10.0.0.0/8",
            "10.0.0.1",
            "0.0.0.0/0",
            "127.0.0.0/8"
        ]),
        text(&[
            "169.254.0.0/16",
            "169.254.169.254",
            "[::1]",
            "[fd00::/8]",
            "[::/0]"
        ]),
    ];
    let port = text(&[":80", ":443", ":5432", ":*", ":*"]);
    let reach = text(&["", "", ";private", ";metadata", ";lookup"]);
    (host, port, reach).prop_map(|(host, port, reach)| format!("{host}{port}{reach}"))
}

fn secret() -> impl Strategy<Value = String> {
    let place = (
        text(&["", ";host=a.com", ";host=*.a.com", ";host=b.org"]),
        text(&["", ";header=Authorization", ";header=x-key"]),
        text(&["", ";format=Bearer {}", ";format={}%3B"]),
    );
    let place = place.prop_map(|(host, header, format)| format!("{host}{header}{format}"));
    let usage = prop_oneof![3 => place, 1 => Just(";reveal".to_owned())];
    (text(&["A", "B", "*"]), usage).prop_map(|(name, usage)| format!("{name}{usage}"))
}

/// A capability of this permission.
pub(super) fn capability_of(kind: Kind) -> BoxedStrategy<Capability> {
    let scopes = match kind {
        Kind::FileRead | Kind::FileWrite => text(&PATHS).boxed(),
        Kind::NetworkHttp => http().boxed(),
        Kind::NetworkTcp | Kind::NetworkUdp => socket().boxed(),
        Kind::Env => text(&["*", "A", "B"]).boxed(),
        Kind::Secrets => secret().boxed(),
        Kind::Subprocess => text(&[
            "*",
            "image:i",
            "image:j",
            "command:c",
            "image:i;command:c",
            "image:i;command:d",
            "image:direct",
            "image:direct;command:c",
            "image:ssh:*",
            "image:ssh:h",
        ])
        .boxed(),
        Kind::ToolInvoke => text(&["*", "a.*", "a.b", "a.b*", "a.bc", "ab.*", "b.b"]).boxed(),
        Kind::State => text(&["*", "1KiB", "2KiB", "1000"]).boxed(),
        Kind::Documents => text(&["*", "a/*", "a/b", "a"]).boxed(),
        Kind::Checkpoint => Just("on".to_owned()).boxed(),
    };
    let parse = move |text: String| Capability::parse(kind, &text).ok();
    scopes
        .prop_filter_map("a scope that allows nothing", parse)
        .boxed()
}

/// A permission; those with more structure more often.
pub(super) fn kind() -> impl Strategy<Value = Kind> {
    use Kind::{FileRead, NetworkHttp, NetworkTcp, NetworkUdp, Secrets};
    prop_oneof![
        select(&Kind::ALL[..]),
        select(
            &[
                FileRead,
                NetworkHttp,
                NetworkHttp,
                NetworkTcp,
                NetworkUdp,
                Secrets
            ][..]
        ),
    ]
}

/// A scope of this permission only.
pub(super) fn scope_of(kind: Kind) -> impl Strategy<Value = Scope> {
    prop::collection::vec(capability_of(kind), 0..6).prop_map(Scope::from_iter)
}

/// A scope of several permissions, sometimes a broad one among them.
pub(super) fn scope() -> impl Strategy<Value = Scope> {
    let broad = select(&Kind::ALL[..]).prop_map(Capability::broadest);
    let broad = prop_oneof![4 => Just(Vec::new()), 1 => broad];
    (
        prop::collection::vec(kind().prop_flat_map(capability_of), 0..8),
        broad,
    )
        .prop_map(|(some, broad)| some.into_iter().chain(broad).collect())
}

fn address() -> impl Strategy<Value = IpAddr> {
    select(&ADDRESSES[..]).prop_map(|text| text.parse().expect("an address"))
}

/// An action that needs this permission, and that at most one name leads to: then what two scopes allow is what their
/// meet allows.
pub(super) fn action_of(kind: Kind) -> BoxedStrategy<Action> {
    match kind {
        Kind::FileRead | Kind::FileWrite => {
            let access = if kind == Kind::FileRead {
                Access::Read
            } else {
                Access::Write
            };
            let below = text(&["", "/c", "/d/e", "/.."]);
            (text(&PATHS), below)
                .prop_map(move |(path, below)| Action::File {
                    path: format!("{}{below}", path.trim_end_matches('/')).into(),
                    access,
                })
                .boxed()
        }
        Kind::NetworkHttp => http_action().boxed(),
        Kind::NetworkTcp => endpoint(|address, port, names| Action::Tcp {
            address,
            port,
            names,
        }),
        Kind::NetworkUdp => endpoint(|address, port, names| Action::Udp {
            address,
            port,
            names,
        }),
        Kind::Env => text(&["A", "B", "C"])
            .prop_map(|name| Action::Env { name })
            .boxed(),
        Kind::Secrets => {
            let headers = text(&["authorization", "X-Key"]);
            let inject = (
                text(&["A", "B"]),
                text(&NAMES),
                headers,
                text(&["Bearer {}", "{};"]),
            );
            let inject = inject.prop_map(|(name, host, header, format)| Action::SecretInject {
                name,
                host,
                header,
                format,
            });
            let reveal = text(&["A", "B"]).prop_map(|name| Action::SecretReveal { name });
            prop_oneof![3 => inject, 1 => reveal].boxed()
        }
        Kind::Subprocess => (
            text(&["i", "j", "direct", "ssh:h", "ssh:g"]),
            text(&["c", "d"]),
        )
            .prop_map(|(image, command)| Action::Subprocess { image, command })
            .boxed(),
        Kind::ToolInvoke => text(&["a.b", "a.bc", "a.c", "ab.b", "b.b"])
            .prop_map(|tool_id| Action::ToolInvoke { tool_id })
            .boxed(),
        Kind::State => (0_u64..3000)
            .prop_map(|bytes| Action::State { bytes })
            .boxed(),
        Kind::Documents => text(&["a", "a/b", "a/c", "b"])
            .prop_map(|id| Action::Document { id })
            .boxed(),
        Kind::Checkpoint => Just(Action::Checkpoint).boxed(),
    }
}

fn endpoint(action: fn(IpAddr, u16, Vec<String>) -> Action) -> BoxedStrategy<Action> {
    let names = prop::option::of(text(&NAMES)).prop_map(Vec::from_iter);
    (address(), select(&PORTS[..]), names)
        .prop_map(move |(address, port, names)| action(address, port, names))
        .boxed()
}

fn http_action() -> impl Strategy<Value = Action> {
    let odd_hosts = text(&[
        "8.8.8.8",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "A.COM.",
        "a..com",
    ]);
    let target = (
        text(&["http", "https", "https", "https", "ftp"]),
        prop_oneof![3 => Just("x.a.com".to_owned()), 2 => text(&NAMES), 1 => odd_hosts],
        select(&[80, 443, 443, 8080][..]),
        text(&["GET", "GET", "HEAD", "POST", "get"]),
        request_path(),
    );
    (target, prop::option::weighted(0.4, address())).prop_map(
        |((scheme, host, port, method, path), address)| match address {
            None => Action::Http {
                scheme,
                host,
                port,
                method,
                path,
            },
            Some(address) => Action::HttpAddress {
                scheme,
                host,
                port,
                method,
                path,
                address,
            },
        },
    )
}

/// A connection to an address that several names lead to, or a lookup.
pub(super) fn ambiguous_action() -> impl Strategy<Value = Action> {
    let names = prop::collection::vec(text(&NAMES), 0..4);
    let tcp =
        (address(), select(&PORTS[..]), names).prop_map(|(address, port, names)| Action::Tcp {
            address,
            port,
            names,
        });
    prop_oneof![tcp, text(&NAMES).prop_map(|name| Action::Lookup { name })]
}
