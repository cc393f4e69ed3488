//! Which addresses outgoing connections of plugins may reach.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

/// What the operator of a host has decided. Without a decision only public addresses may be reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EgressPolicy {
    /// Networks that may be reached although they are not public.
    pub allowed: Vec<Network>,
    /// Where the host itself listens. Never reached, whatever is allowed.
    pub listeners: Vec<SocketAddr>,
}

impl EgressPolicy {
    /// Whether a connection to `address` may be made. `is_local` says whether the address is one of this machine's own.
    ///
    /// # Errors
    /// Why it may not.
    pub fn check(&self, address: SocketAddr, is_local: bool) -> Result<(), AddressRefusal> {
        let ip = address.ip().to_canonical();
        if self.listeners.iter().any(|listener| reaches(ip, address.port(), is_local, *listener)) {
            return Err(AddressRefusal::OwnListener);
        }
        if self.allowed.iter().any(|network| network.0.contains(&ip)) {
            return Ok(());
        }
        match special(ip) {
            Some(kind) => Err(AddressRefusal::Special(kind)),
            None => Ok(()),
        }
    }
}

/// Whether a connection to this address and port would end at `listener`. A connection to the unspecified address goes to
/// the loopback address; a listener on the unspecified address hears all addresses of the machine.
fn reaches(ip: IpAddr, port: u16, is_local: bool, listener: SocketAddr) -> bool {
    let listens_on = listener.ip().to_canonical();
    let is_loopback = ip.is_loopback() || ip.is_unspecified();
    let is_same = ip == listens_on
        || (listens_on.is_unspecified() && (is_local || is_loopback))
        || (ip.is_unspecified() && listens_on.is_loopback());
    listener.port() == port && is_same
}

/// Why an address may not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefusal {
    /// The host itself listens there.
    #[error("where this host itself listens")]
    OwnListener,
    /// It is no public address, but of this kind.
    #[error("{0}")]
    Special(&'static str),
}

/// A network that the operator allows: `10.0.0.0/8`, `fd00::/8`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// The networks of the machine's own loopback addresses.
    pub const LOOPBACK: [Self; 2] = [
        Self(IpNet::V4(ipnet::Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8))),
        Self(IpNet::V6(ipnet::Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128))),
    ];
}

/// The text names no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no network: write an address and the length of its prefix, such as 10.0.0.0/8 or fd00::/8"
)]
pub struct InvalidNetwork(String);

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let network = text.parse::<IpNet>().ok().or_else(single);
        network.map(|network| Self(network.trunc())).ok_or_else(|| InvalidNetwork(text.to_owned()))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// What kind of special address it is, with an article; `None` if it is public.
fn special(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => special_v4(ip),
        IpAddr::V6(ip) => special_v6(ip),
    }
}

/// The special-purpose blocks of IANA's IPv4 registry, and multicast.
fn special_v4(ip: Ipv4Addr) -> Option<&'static str> {
    Some(match ip.octets() {
        [0, 0, 0, 0] => "the unspecified address",
        [127, ..] => "a loopback address",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private address",
        [169, 254, ..] => "a link-local address",
        [100, 64..=127, ..] => "a shared address of a carrier",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "an address for documentation",
        [198, 18 | 19, ..] => "an address for benchmarks",
        [224..=239, ..] => "a multicast address",
        [255, 255, 255, 255] => "the broadcast address",
        [0 | 240..=255, ..] | [192, 0, 0, _] | [192, 88, 99, _] => "a reserved address",
        _ => return None,
    })
}

/// The special-purpose blocks of IANA's IPv6 registry, what carries an IPv4 address, and what is not assigned.
fn special_v6(ip: Ipv6Addr) -> Option<&'static str> {
    let segments = ip.segments();
    let [.., high, low] = segments;
    let embedded = Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    Some(match segments {
        _ if ip.is_unspecified() => "the unspecified address",
        _ if ip.is_loopback() => "a loopback address",
        [0, 0, 0, 0, 0, 0xffff, ..] => return special_v4(embedded),
        [0, 0, 0, 0, 0 | 0xffff, 0, ..] => "an IPv6 form of an IPv4 address",
        // A translator passes it on to the IPv4 address inside; names get such addresses in networks without IPv4.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            return special_v4(embedded).map(|_| "a translated form of a special address");
        }
        [0x64, 0xff9b, 1, ..] => "a translated address of a local network",
        [0x2001, 0, ..] => "a tunnelled (Teredo) address",
        [0x2002, ..] => "a tunnelled (6to4) address",
        [0x2001, 2, 0, ..] => "an address for benchmarks",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "an address for documentation",
        [0x2001, 0..=0x1ff, ..] => "a reserved address",
        [0xfc00..=0xfdff, ..] => "a unique local address",
        [0xfe80..=0xfebf, ..] => "a link-local address",
        [0xff00..=0xffff, ..] => "a multicast address",
        [0x2000..=0x3fff, ..] => return None,
        _ => "a reserved address",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().expect("an address"), 443)
    }

    fn socket(text: &str) -> SocketAddr {
        text.parse().expect("an address and a port")
    }

    #[test]
    fn public_addresses_are_reached() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2001:200::1",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert_eq!(EgressPolicy::default().check(address(text), false), Ok(()), "{text}");
        }
    }

    #[test]
    fn special_addresses_are_refused_in_every_form() {
        for (texts, kind) in [
            (&["0.0.0.0", "::", "::ffff:0.0.0.0"][..], "the unspecified address"),
            (&["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"], "a loopback address"),
            (
                &["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "::ffff:10.1.2.3"],
                "a private address",
            ),
            (&["169.254.169.254", "fe80::1", "febf::1", "::ffff:169.254.169.254"], "a link-local address"),
            (&["100.64.0.1", "100.127.255.255"], "a shared address of a carrier"),
            (
                &["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff:fff::1"],
                "an address for documentation",
            ),
            (&["198.18.0.1", "198.19.255.255", "2001:2::1"], "an address for benchmarks"),
            (&["224.0.0.1", "239.255.255.255", "ff02::1"], "a multicast address"),
            (&["255.255.255.255"], "the broadcast address"),
            (
                &["0.1.2.3", "192.0.0.8", "192.88.99.1", "240.0.0.1", "2001:10::1", "4000::1", "100::1"],
                "a reserved address",
            ),
            (&["fc00::1", "fdff::1"], "a unique local address"),
            (&["fec0::1", "5f00::1", "64:ff9b:2::1"], "a reserved address"),
            (&["::127.0.0.1", "::10.0.0.1", "::ffff:0:127.0.0.1"], "an IPv6 form of an IPv4 address"),
            (
                &["64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254"],
                "a translated form of a special address",
            ),
            (&["64:ff9b:1::127.0.0.1", "64:ff9b:1:ffff::1"], "a translated address of a local network"),
            (&["2002:7f00:1::", "2002:a00:1::1"], "a tunnelled (6to4) address"),
            (&["2001:0:7f00:1::", "2001::80ff:fffe"], "a tunnelled (Teredo) address"),
        ] {
            for text in texts {
                let refused = EgressPolicy::default().check(address(text), false);
                assert_eq!(refused, Err(AddressRefusal::Special(kind)), "{text}");
            }
        }
    }

    #[test]
    fn what_the_operator_allows_is_reached_and_nothing_beside_it() {
        let allowed = ["10.1.0.0/16", "fd00::/8", "127.0.0.1"].map(|text| text.parse().expect("a network"));
        let policy = EgressPolicy { allowed: allowed.to_vec(), listeners: Vec::new() };
        for (text, is_reached) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.0", false),
            ("64:ff9b::10.1.2.3", false),
            ("2002:a01:203::", false),
            ("fd12::1", true),
            ("fc00::1", false),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
        ] {
            assert_eq!(policy.check(address(text), false).is_ok(), is_reached, "{text}");
        }
    }

    #[test]
    fn the_host_does_not_talk_to_itself() {
        let everything = ["0.0.0.0/0", "::/0"].map(|text| text.parse().expect("a network")).to_vec();
        let policy =
            |listener| EgressPolicy { allowed: everything.clone(), listeners: vec![socket(listener)] };
        for (listener, target, is_local, is_refused) in [
            ("127.0.0.1:7070", "127.0.0.1:7070", true, true),
            ("127.0.0.1:7070", "[::ffff:127.0.0.1]:7070", true, true),
            ("127.0.0.1:7070", "0.0.0.0:7070", false, true),
            ("127.0.0.1:7070", "127.0.0.1:7071", true, false),
            ("127.0.0.1:7070", "127.0.0.2:7070", true, false),
            ("0.0.0.0:7070", "127.0.0.2:7070", false, true),
            ("0.0.0.0:7070", "192.168.1.5:7070", true, true),
            ("0.0.0.0:7070", "192.168.1.6:7070", false, false),
            ("[::]:7070", "192.168.1.5:7070", true, true),
            ("[::]:7070", "[::]:7070", false, true),
            ("[::1]:7070", "[::1]:7070", true, true),
        ] {
            let refused = policy(listener).check(socket(target), is_local);
            let expected = if is_refused { Err(AddressRefusal::OwnListener) } else { Ok(()) };
            assert_eq!(refused, expected, "{target} from a host on {listener}");
        }
    }

    #[test]
    fn networks_are_written_with_their_prefix() {
        for (text, written) in
            [("10.1.2.3/8", "10.0.0.0/8"), ("10.0.0.1", "10.0.0.1/32"), ("FD00::/8", "fd00::/8")]
        {
            assert_eq!(text.parse::<Network>().expect("a network").to_string(), written);
        }
        for text in ["", "10.0.0.0/33", "10.0.0/8", "localhost", "10.0.0.0/8 "] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert_eq!(Network::LOOPBACK.map(|network| network.to_string()), ["127.0.0.0/8", "::1/128"]);
    }
}
