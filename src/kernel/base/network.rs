//! Networks, as limits and proxies count them, and origins, as browsers compare them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An origin in the form in which browsers send it: scheme and host in small letters, the port only where it
/// is not the scheme's own. Of an address nothing else may be left: a path, say, would be lost.
///
/// # Errors
/// What is wrong with it, to stand after its name.
pub fn origin(text: &str) -> Result<String, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("does not start with https:// or http://")?;
    let scheme = scheme.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return Err("does not start with https:// or http://"),
    };
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("holds a blank");
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('@') {
        return Err("holds a user name; leave out what stands before the “@”");
    }
    if authority.contains(['/', '?', '#', '\\']) {
        return Err("holds more than scheme, host and port; Tyrian answers at the root of its host alone");
    }
    let authority = authority.to_lowercase();
    let authority = authority.strip_suffix(usual).unwrap_or(&authority);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if host.is_empty() {
        return Err("names no host");
    }
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return Err("names no port between 1 and 65535 after the “:”");
    }
    let six = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_host = match six {
        // As browsers write it: `0db8` is another text than `db8`.
        Some(six) => six.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == six),
        None if ends_in_a_number(host) => {
            host.parse::<Ipv4Addr>().is_ok_and(|address| address.to_string() == host)
        }
        None => host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')),
    };
    if !is_host {
        return Err("names a host that browsers write otherwise; use letters of ASCII (xn--…) or an address");
    }
    Ok(format!("{scheme}://{authority}"))
}

/// Whether browsers read a host as an address of four numbers, and write `1.2.3` as 1.2.0.3 (WHATWG, URL,
/// "ends in a number").
fn ends_in_a_number(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    let is_hexadecimal = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_decimal = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal || last.strip_prefix("0x").is_some_and(is_hexadecimal)
}

/// Addresses that begin alike, such as 172.18.0.0/16; one alone is a range of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    first: IpAddr,
    bits: u8,
}

impl Range {
    pub fn contains(&self, address: &IpAddr) -> bool {
        let bits = u32::from(self.bits);
        match (self.first, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl From<IpAddr> for Range {
    fn from(first: IpAddr) -> Self {
        let first = first.to_canonical();
        Self { bits: if first.is_ipv4() { 32 } else { 128 }, first }
    }
}

impl std::str::FromStr for Range {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(drop)?)),
            None => (text, None),
        };
        let alone = Self::from(address.parse::<IpAddr>().map_err(drop)?);
        match bits {
            Some(bits) if bits > alone.bits => Err(()),
            Some(bits) => Ok(Self { bits, ..alone }),
            None => Ok(alone),
        }
    }
}

/// The network that an address counts for: itself, or its /64 in IPv6, of which one subscriber has many
/// addresses.
pub fn network(address: &str) -> String {
    match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V6(six)) => match six.to_ipv4_mapped() {
            Some(four) => four.to_string(),
            None => {
                let [a, b, c, d, ..] = six.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        },
        Ok(four) => four.to_string(),
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_as_browsers_send_them() {
        for (typed, sent) in [
            ("https://ops.example", "https://ops.example"),
            ("https://ops.example/", "https://ops.example"),
            ("http://Tyrian.lan:80", "http://tyrian.lan"),
            ("HTTPS://ops.example:443", "https://ops.example"),
            ("http://ops.example:443", "http://ops.example:443"),
            ("http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080"),
            ("http://[::1]", "http://[::1]"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(origin(typed).as_deref(), Ok(sent), "{typed}");
        }
        for wrong in [
            "ops.example",
            "ftp://ops.example",
            "https://ops.example/tyrian",
            "https://user:pw@ops.example",
            "https://",
            "https:///",
            "https://:8080",
            "https://ops.example/?x=1#y",
            "https://ops.example?x",
            "https://1.2.3",
            "https://010.0.0.1",
            "https://0x7f000001",
            "https://ops.42",
            "https://[2001:0db8::1]",
            "http://ops.example ",
            "https://ops example",
            "https://ops.example:",
            "https://ops.example:0",
            "https://ops.example:99999",
            "https://ops.example:port",
            "https://öps.example",
            "https://[::1",
            "https://a:b:c",
        ] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_holds_what_begins_alike() {
        let holds =
            |range: &str, address: &str| range.parse::<Range>().unwrap().contains(&address.parse().unwrap());
        assert!(holds("172.18.0.0/16", "172.18.255.1") && !holds("172.18.0.0/16", "172.19.0.1"));
        assert!(holds("10.0.0.1", "10.0.0.1") && !holds("10.0.0.1", "10.0.0.2"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("fd00::/8", "fd12::1") && holds("::1/128", "::1") && holds("::/0", "::2"));
        for wrong in ["172.18.0.0/33", "localhost", "*", "10.0.0/8", "1.2.3.4/", "::1/129"] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_network_is_an_address_or_the_first_half_of_one() {
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2::9"), network("2001:db8:1:2:ffff::1"));
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("nonsense"), "unknown");
    }
}
