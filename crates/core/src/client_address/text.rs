//! Addresses as headers and sockets have them.

use std::net::{IpAddr, Ipv6Addr};

/// The address in a text, which may be in brackets, have a port, and a zone if it is one of IPv6. One of IPv4 within IPv6 is one of IPv4.
pub fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches([' ', '\t']);
    let address = match text.strip_prefix('[') {
        Some(rest) => {
            let (inside, behind) = rest.split_once(']')?;
            is_port(behind).then_some(())?;
            IpAddr::V6(without_zone(inside)?)
        }
        None => match text.parse() {
            Ok(address) => address,
            Err(_) => bare(text)?,
        },
    };
    Some(address.to_canonical())
}

// With a zone or a port, since it is no address by itself.
fn bare(text: &str) -> Option<IpAddr> {
    if let Some(address) = without_zone(text) {
        return Some(IpAddr::V6(address));
    }
    let (address, _) = text.split_once(':')?;
    is_port(&text[address.len()..]).then_some(())?;
    Some(IpAddr::V4(address.parse().ok()?))
}

// A zone names an interface of the machine that wrote it.
fn without_zone(text: &str) -> Option<Ipv6Addr> {
    match text.split_once('%') {
        Some((address, zone)) if !zone.is_empty() => address.parse().ok(),
        Some(_) => None,
        None => text.parse().ok(),
    }
}

// Nothing, or what follows a colon: digits, or the name that RFC 7239 allows in place of a port.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else { return text.is_empty() };
    match port.strip_prefix('_') {
        Some(name) => {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        }
        None => (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()),
    }
}
