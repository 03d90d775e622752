//! A list of addresses and networks.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::text;

/// Addresses and networks, in any number: looking an address up takes logarithmic time.
#[derive(Debug, Clone, Default)]
pub struct AddressList {
    // Sorted, and none within another.
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
}

impl AddressList {
    /// The list of these networks.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                IpNet::V4(network) => v4.push(network.trunc()),
                IpNet::V6(network) => v6.push(network.trunc()),
            }
        }
        let (mut v4, mut v6) = (Ipv4Net::aggregate(&v4), Ipv6Net::aggregate(&v6));
        v4.sort_unstable();
        v6.sort_unstable();
        Self { v4, v6 }
    }

    /// Whether an address is in the list.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.includes(address.into())
    }

    /// Whether an address or all of a network, as a text, is in the list. What is neither is not.
    pub fn contains_text(&self, text: &str) -> bool {
        let network = text::address(text).map(IpNet::from).or_else(|| network(text));
        network.is_some_and(|network| self.includes(network))
    }

    fn includes(&self, network: IpNet) -> bool {
        match network {
            IpNet::V4(network) => {
                let behind = self.v4.partition_point(|known| known.network() <= network.network());
                behind > 0 && self.v4[behind - 1].contains(&network)
            }
            IpNet::V6(network) => {
                let behind = self.v6.partition_point(|known| known.network() <= network.network());
                behind > 0 && self.v6[behind - 1].contains(&network)
            }
        }
    }
}

/// A network, such as `10.0.0.0/8`, or an address as a network of its own. One of IPv4 within IPv6 is one of IPv4.
pub fn network(text: &str) -> Option<IpNet> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => text.parse::<IpAddr>().ok()?.into(),
    };
    Some(match network {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(v4) => Ipv4Net::new(v4, v6.prefix_len() - 96).map_or(v6.into(), IpNet::V4),
            None => v6.into(),
        },
        other => other,
    })
}
