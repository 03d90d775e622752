//! Names and addresses of servers.

use std::net::Ipv6Addr;

/// Whether this is a name or an address, without brackets and without a port.
pub fn is_host(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    let plain = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    if address.contains(':') { address.parse::<Ipv6Addr>().is_ok() && plain(zone) } else { plain(text) }
}
