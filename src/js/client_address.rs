//! The native classes behind `clientIp` and `addressList`.

use cinnabar_core::client_address::{self, ClientAddress, Header, Proxies, network};
use napi::{Env, JsValue, Unknown, sys::ValueType};
use napi_derive::napi;

use super::node_api::{Js, RawValue, Value};

/// A list of addresses and networks.
#[napi]
pub struct AddressList {
    list: client_address::AddressList,
}

#[napi]
impl AddressList {
    /// Takes texts of which `isNetwork` is true.
    #[napi(constructor)]
    pub fn new(networks: Vec<String>) -> Self {
        Self { list: list(&networks) }
    }

    /// Whether a text is an address or a network.
    #[napi]
    pub fn is_network(text: String) -> bool {
        network(&text).is_some()
    }

    /// Whether an address, or all of a network, is in the list.
    #[napi]
    pub fn includes(&self, env: Env, address: Unknown) -> bool {
        text(Js(env.raw()), address.raw()).is_some_and(|text| self.list.contains_text(&text))
    }
}

/// Finds the address of a client behind proxies.
#[napi]
pub struct AddressReader {
    reader: ClientAddress,
}

#[napi]
impl AddressReader {
    /// Takes the number of proxies or their networks; in what they report the client (`list`, `forwarded` or `single`); and the length of
    /// the prefix by which addresses of IPv6 are grouped.
    #[napi(constructor)]
    pub fn new(count: Option<u32>, networks: Vec<String>, header: String, ipv6_prefix: u32) -> Self {
        let proxies = count.map_or_else(|| Proxies::Listed(list(&networks)), Proxies::Count);
        let header = match header.as_str() {
            "list" => Header::List,
            "forwarded" => Header::Forwarded,
            _ => Header::Single,
        };
        Self { reader: ClientAddress { proxies, header, ipv6_prefix: ipv6_prefix.min(128) as u8 } }
    }

    /// The address for that of the connection and the value of the header, each of which may be missing; null if none is known.
    #[napi]
    pub fn read(&self, env: Env, peer: Unknown, header: Unknown) -> RawValue {
        let js = Js(env.raw());
        let (peer, header) = (text(js, peer.raw()), text(js, header.raw()));
        let found = self.reader.read(peer.as_deref(), header.as_deref());
        RawValue(found.and_then(|found| js.string(found.as_bytes()).ok()).unwrap_or_else(|| js.null()))
    }
}

fn list(networks: &[String]) -> client_address::AddressList {
    client_address::AddressList::new(networks.iter().filter_map(|text| network(text)))
}

/// A text from untrusted input. What UTF-8 cannot encode is replaced, since it is part of no address.
fn text(js: Js, value: Value) -> Option<String> {
    if js.kind(value) != ValueType::napi_string {
        return None;
    }
    js.text(value, "text").ok().or_else(|| Some(String::from_utf16_lossy(&js.units(value))))
}
