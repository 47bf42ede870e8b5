//! Which addresses lie where: the ranges of the IANA special-purpose address registries (RFC 6890 and what followed).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Out in the open.
    Public,
    /// In a network of somebody's own: RFC 1918, RFC 4193, and the carriers' RFC 6598.
    Private,
    /// Where a fetch has no business: this machine, its link, groups, documentation, and every spelling of an IPv4
    /// address inside an IPv6 one, behind which any of these can hide.
    Never(&'static str),
}

/// Where `address` lies.
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let never = Reach::Never;
    match address.octets() {
        [10, ..] | [192, 168, ..] | [172, 16..=31, ..] | [100, 64..=127, ..] => Reach::Private,
        [0, ..] => never("this network"),
        [127, ..] => never("loopback"),
        [169, 254, ..] => never("link-local"),
        [192, 0, 0, _] => never("protocol assignments"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => never("documentation"),
        [192, 88, 99, _] => never("6to4 relay"),
        [198, 18..=19, ..] => never("benchmarking"),
        [224..=239, ..] => never("multicast"),
        [240..=255, ..] => never("reserved"),
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let never = Reach::Never;
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => never("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => never("loopback"),
        [0, 0, 0, 0, 0, 0xffff, ..] => never("IPv4-mapped"),
        [0, 0, 0, 0, 0xffff, 0, ..] => never("IPv4-translated"),
        [0, 0, 0, 0, 0, 0, ..] => never("IPv4-compatible"),
        [0x64, 0xff9b, ..] => never("NAT64"),
        [0x2002, ..] => never("6to4"),
        [0x2001, 0, ..] => never("Teredo"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => never("documentation"),
        [0x2001, 0x0001..=0x01ff, ..] => never("protocol assignments"),
        [0xfc00..=0xfdff, ..] => Reach::Private,
        [0xfe80..=0xfebf, ..] => never("link-local"),
        [0xfec0..=0xfeff, ..] => never("site-local"),
        [0xff00..=0xffff, ..] => never("multicast"),
        // ISATAP (RFC 5214) ends in 5efe and an IPv4 address.
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => never("ISATAP"),
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => never("not global unicast"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_public_is_public() {
        for text in
            ["1.1.1.1", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::8"]
        {
            assert_eq!(reach(text.parse().unwrap()), Reach::Public, "{text}");
        }
    }

    #[test]
    fn a_network_of_ones_own_is_told_from_where_nothing_may_go() {
        for text in
            ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd00::1", "fc00::1"]
        {
            assert_eq!(reach(text.parse().unwrap()), Reach::Private, "{text}");
        }
        for text in [
            "127.0.0.1",
            "0.0.0.0",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.18.0.1",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2001::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "100::1",
            "2a00::5efe:10.0.0.1",
            "4000::1",
            "::ffff:0:8.8.8.8",
        ] {
            assert!(matches!(reach(text.parse().unwrap()), Reach::Never(_)), "{text}");
        }
    }
}
