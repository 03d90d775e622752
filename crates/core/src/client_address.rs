//! The address of a client: that of its connection, or the one that the application's own proxies report.
//!
//! Each proxy appends the address of the peer that connected to it to a header, so that only as many entries can be believed, from the right, as
//! there are proxies. Everything further left is what the client sent.

mod entries;
mod list;
mod text;

use std::net::IpAddr;

use ipnet::Ipv6Net;

pub use self::list::{AddressList, network};

/// Which proxies are the application's own.
#[derive(Debug, Clone)]
pub enum Proxies {
    /// So many, each of which appends an entry. The last of them is the peer, whatever its address.
    Count(u32),
    /// Those with these addresses.
    Listed(AddressList),
}

/// How a header names the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// Addresses, to which each proxy appends one: `X-Forwarded-For`.
    List,
    /// `Forwarded`, as in RFC 7239.
    Forwarded,
    /// One address, which the proxy writes in place of what the client sent.
    Single,
}

/// Finds the address of a client.
#[derive(Debug, Clone)]
pub struct ClientAddress {
    /// Whose entries are believed.
    pub proxies: Proxies,
    /// What the entries are in.
    pub header: Header,
    /// By how many bits addresses of IPv6 are grouped, since a client has many of them.
    pub ipv6_prefix: u8,
}

impl ClientAddress {
    /// The address of the client, from that of the connection and the value of the header; `None` if neither is known. An address of IPv6
    /// becomes its network, such as `2001:db8::/64`. What is not an address ends the search: then the last one found is returned.
    pub fn read(&self, peer: Option<&str>, header: Option<&str>) -> Option<String> {
        self.find(peer.and_then(text::address), header.unwrap_or_default()).map(|found| self.grouped(found))
    }

    fn find(&self, peer: Option<IpAddr>, header: &str) -> Option<IpAddr> {
        let mut entries = entries::from_right(header, self.header);
        let mut next = || entries.next().and_then(entries::address);
        match &self.proxies {
            Proxies::Count(count) => {
                let mut found = peer;
                for _ in 0..*count {
                    let Some(address) = next() else { break };
                    found = Some(address);
                }
                found
            }
            Proxies::Listed(proxies) => {
                let mut found = peer?;
                while proxies.contains(found) {
                    let Some(address) = next() else { break };
                    found = address;
                }
                Some(found)
            }
        }
    }

    fn grouped(&self, address: IpAddr) -> String {
        match address {
            IpAddr::V6(address) if self.ipv6_prefix < 128 => Ipv6Net::new(address, self.ipv6_prefix)
                .map_or_else(|_| address.to_string(), |network| network.trunc().to_string()),
            address => address.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
