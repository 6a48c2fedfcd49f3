//! Addresses and networks.

use std::net::IpAddr;

use proptest::prelude::*;

use crate::permission::{AddressClass, Network, Reach, classify};

fn class(text: &str) -> AddressClass {
    classify(text.parse().expect("an address"))
}

#[test]
fn addresses_are_told_apart() {
    use AddressClass::{
        Broadcast, Documentation, LinkLocal, Loopback, Metadata, Multicast, Private, Public,
        Reserved, Unspecified,
    };
    for (text, expected) in [
        ("8.8.8.8", Public),
        ("2001:4860:4860::8888", Public),
        ("127.0.0.1", Loopback),
        ("127.255.255.254", Loopback),
        ("::1", Loopback),
        ("10.0.0.0", Private),
        ("10.255.255.255", Private),
        ("11.0.0.0", Public),
        ("9.255.255.255", Public),
        ("172.15.255.255", Public),
        ("172.16.0.0", Private),
        ("172.31.255.255", Private),
        ("172.32.0.0", Public),
        ("192.168.1.1", Private),
        ("192.169.0.0", Public),
        ("100.63.255.255", Public),
        ("100.64.0.0", Private),
        ("100.127.255.255", Private),
        ("100.128.0.0", Public),
        ("fc00::1", Private),
        ("fdff::1", Private),
        ("fec0::1", Private),
        ("169.254.0.1", LinkLocal),
        ("fe80::1", LinkLocal),
        ("febf::1", LinkLocal),
        ("169.254.169.254", Metadata),
        ("169.254.170.2", Metadata),
        ("168.63.129.16", Metadata),
        ("100.100.100.200", Metadata),
        ("fd00:ec2::254", Metadata),
        ("192.0.2.1", Documentation),
        ("198.51.100.1", Documentation),
        ("203.0.113.1", Documentation),
        ("198.18.0.1", Documentation),
        ("2001:db8::1", Documentation),
        ("3fff::1", Documentation),
        ("192.0.0.8", Reserved),
        ("240.0.0.1", Reserved),
        ("2001::1", Reserved),
        ("4000::1", Reserved),
        ("100::1", Reserved),
        ("224.0.0.251", Multicast),
        ("239.255.255.255", Multicast),
        ("ff02::1", Multicast),
        ("255.255.255.255", Broadcast),
        ("0.0.0.0", Unspecified),
        ("0.1.2.3", Unspecified),
        ("::", Unspecified),
    ] {
        assert_eq!(class(text), expected, "{text}");
    }
}

#[test]
fn an_ipv4_address_is_recognised_in_every_wrapping() {
    for (inner, hex) in [
        ("127.0.0.1", "7f00:1"),
        ("10.1.2.3", "a01:203"),
        ("169.254.169.254", "a9fe:a9fe"),
        ("0.0.0.0", "0:0"),
        ("8.8.8.8", "808:808"),
    ] {
        let expected = class(inner);
        for wrapped in [
            format!("::ffff:{inner}"),
            format!("::ffff:{hex}"),
            format!("::ffff:0:{hex}"),
            format!("64:ff9b::{hex}"),
            format!("2002:{hex}::"),
            format!("2002:{hex}::1:2:3"),
        ] {
            assert_eq!(class(&wrapped), expected, "{inner} in {wrapped}");
        }
    }
    assert_eq!(
        class("::10.0.0.1"),
        AddressClass::Private,
        "IPv4-compatible"
    );
    assert_eq!(
        class("64:ff9b:1::8.8.8.8"),
        AddressClass::Private,
        "local NAT64"
    );
}

#[test]
fn what_nobody_connects_to_cannot_be_reached() {
    for text in [
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "0.0.0.0",
        "::",
        "2002::1",
    ] {
        assert_eq!(class(text).reach(), None, "{text}");
    }
    assert_eq!(class("169.254.169.254").reach(), Some(Reach::Metadata));
    assert_eq!(class("127.0.0.1").reach(), Some(Reach::Private));
}

#[test]
fn networks_are_written_without_bits_beyond_the_prefix() {
    for text in [
        "10.0.0.0/8",
        "0.0.0.0/0",
        "8.8.8.8",
        "fd00::/8",
        "::/0",
        "2001:db8::1",
    ] {
        let network: Network = text.parse().expect(text);
        assert_eq!(network.to_string(), text);
    }
    let same = |left: &str, right: &str| {
        assert_eq!(
            left.parse::<Network>(),
            right.parse::<Network>(),
            "{left} and {right}"
        );
    };
    same("::ffff:10.0.0.0/104", "10.0.0.0/8");
    same("::ffff:10.0.0.1", "10.0.0.1/32");
    for (text, problem) in [
        (
            "10.0.0.1/8",
            "the address has bits beyond the prefix; did you mean `10.0.0.0/8`?",
        ),
        ("10.0.0.0/33", "the prefix length is not between 0 and 32"),
        ("fd00::/129", "the prefix length is not between 0 and 128"),
        ("10.0.0.0/", "the prefix length is not between 0 and 32"),
        ("10.0.0/8", "it has no valid IP address"),
        ("fe80::1%eth0", "it has no valid IP address"),
    ] {
        let error = text.parse::<Network>().expect_err(text);
        assert_eq!(error.problem(), problem, "{text}");
    }
}

#[test]
fn a_network_holds_its_addresses_and_no_others() {
    let holds = |network: &str, address: &str| {
        let network: Network = network.parse().expect(network);
        network.contains(address.parse().expect(address))
    };
    assert!(holds("10.0.0.0/8", "10.255.255.255"));
    assert!(!holds("10.0.0.0/8", "11.0.0.0"));
    assert!(holds("10.0.0.0/8", "::ffff:10.0.0.1"));
    assert!(!holds("::/0", "10.0.0.1"), "the two families are apart");
    assert!(!holds("0.0.0.0/0", "::1"));
    assert!(holds("192.168.0.4/30", "192.168.0.7"));
    assert!(!holds("192.168.0.4/30", "192.168.0.8"));
}

proptest! {
    #[test]
    fn no_embedding_of_a_closed_address_is_public(bits: u32) {
        let inner = std::net::Ipv4Addr::from(bits);
        let mapped = IpAddr::from(inner.to_ipv6_mapped());
        prop_assert_eq!(classify(mapped), classify(inner.into()));
        let [high, low] = [bits >> 16, bits & 0xffff];
        let six_to_four = format!("2002:{high:x}:{low:x}::1").parse().expect("an address");
        prop_assert_eq!(classify(six_to_four), classify(inner.into()));
    }
}
