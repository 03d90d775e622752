//! Keys that limit an address on a route: `ratelimit:{address}:{route}`.

use std::{borrow::Cow, fmt::Write, mem};

use cinnabar_port::random;
use ring::digest::{SHA256, digest};

/// The prefix of route keys, which are used without further encoding. It follows the prefix of a limiter with a custom one.
pub const ROUTES: &str = "ratelimit:";

/// Longer parts, in UTF-16 code units, are hashed, because the store keeps the key for a whole window.
const MAX_PART_UNITS: usize = 512;
const HASHED: &str = "%sha256%";
const ADDRESS_CODES: [(&str, char); 3] = [("%25", '%'), ("%7B", '{'), ("%7D", '}')];
const ROUTE_CODES: [(&str, char); 4] = [("%25", '%'), ("%3A", ':'), ("%7B", '{'), ("%7D", '}')];

/// Returns the key that limits an address on a route, for use with a limiter. Both may be untrusted input: no two pairs share a key,
/// braces cannot force keys into one cluster slot, and long or ill-formed parts are hashed.
pub fn route_key(address: &str, route: &str) -> String {
    key_of(
        address.len() + route.len(),
        |key| push_text(key, address, in_address),
        |key| push_text(key, route, in_route),
    )
}

/// The same of texts in UTF-16, which may be ill-formed.
pub fn route_key_utf16(address: &[u16], route: &[u16]) -> String {
    let length = address.len() + route.len();
    key_of(length, |key| push_units(key, address, in_address), |key| push_units(key, route, in_route))
}

// An address may contain colons, so they are encoded in the route: the last colon always separates the two.
fn key_of(length: usize, address: impl FnOnce(&mut String), route: impl FnOnce(&mut String)) -> String {
    let mut key = String::with_capacity(ROUTES.len() + length + 1);
    key.push_str(ROUTES);
    address(&mut key);
    key.push(':');
    route(&mut key);
    key
}

/// Whether `route_key` returns exactly this for some address and route, so that it can be used as it is. Any other text with this
/// prefix is an identifier: it may have braces, and several texts may name one address.
pub fn is_route_key(text: &str) -> bool {
    let parts = text.strip_prefix(ROUTES).and_then(|rest| rest.rsplit_once(':'));
    parts.is_some_and(|(address, route)| {
        is_part(address, &ADDRESS_CODES, in_address) && is_part(route, &ROUTE_CODES, in_route)
    })
}

fn push_text(key: &mut String, text: &str, is_special: IsSpecial) {
    let start = key.len();
    push_encoded(key, text, is_special);
    let encoded = &key[start..];
    // No text has more UTF-16 code units than bytes.
    if encoded.len() > MAX_PART_UNITS && encoded.encode_utf16().count() > MAX_PART_UNITS {
        let hash = hashed(encoded.encode_utf16());
        key.truncate(start);
        key.push_str(&hash);
    }
}

fn push_units(key: &mut String, units: &[u16], is_special: IsSpecial) {
    if let Ok(text) = String::from_utf16(units) {
        return push_text(key, &text, is_special);
    }
    let (mut encoded, mut text) = (Vec::with_capacity(units.len()), String::new());
    for c in char::decode_utf16(units.iter().copied()) {
        match c {
            Ok(c) => text.push(c),
            Err(lone) => {
                encoded.extend(encode(&mem::take(&mut text), is_special).encode_utf16());
                encoded.push(lone.unpaired_surrogate());
            }
        }
    }
    encoded.extend(encode(&text, is_special).encode_utf16());
    key.push_str(&hashed(encoded.into_iter()));
}

fn hashed(units: impl Iterator<Item = u16>) -> String {
    let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
    format!("{HASHED}{}", random::to_hex(digest(&SHA256, &bytes).as_ref()))
}

fn is_part(part: &str, codes: &[(&str, char)], is_special: IsSpecial) -> bool {
    if let Some(hash) = part.strip_prefix(HASHED) {
        return hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    }
    part.encode_utf16().count() <= MAX_PART_UNITS && encode(&decode(part, codes), is_special) == part
}

fn decode<'a>(part: &'a str, codes: &[(&str, char)]) -> Cow<'a, str> {
    if !part.contains('%') {
        return part.into();
    }
    let (mut decoded, mut rest) = (String::with_capacity(part.len()), part);
    while let Some(at) = rest.find('%') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let code = codes.iter().find(|(code, _)| rest.starts_with(code));
        let (length, c) = code.map_or((1, '%'), |(code, c)| (code.len(), *c));
        decoded.push(c);
        rest = &rest[length..];
    }
    decoded.push_str(rest);
    decoded.into()
}

/// Whether this ASCII character is to be encoded before these bytes.
type IsSpecial = fn(u8, &[u8]) -> bool;

fn in_route(c: u8, _: &[u8]) -> bool {
    matches!(c, b'%' | b':' | b'{' | b'}')
}

/// In an address, which may have a zone (`fe80::1%eth0`), `%` is encoded only where it could be read as a code of ours.
fn in_address(c: u8, rest: &[u8]) -> bool {
    match c {
        b'{' | b'}' => true,
        // A brace after `%sha256` becomes a `%` too.
        b'%' => [&b"25"[..], b"7b", b"7d", b"sha256"]
            .iter()
            .any(|code| rest.get(..code.len()).is_some_and(|start| start.eq_ignore_ascii_case(code))),
        _ => false,
    }
}

fn encode(text: &str, is_special: IsSpecial) -> String {
    let mut encoded = String::with_capacity(text.len());
    push_encoded(&mut encoded, text, is_special);
    encoded
}

fn push_encoded(encoded: &mut String, text: &str, is_special: IsSpecial) {
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if is_special(byte, &text.as_bytes()[at + 1..]) {
            encoded.push_str(&text[plain..at]);
            let _ = write!(encoded, "%{byte:02X}");
            plain = at + 1;
        }
    }
    encoded.push_str(&text[plain..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(address: &str, route: &str) -> String {
        let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        let key = route_key(address, route);
        assert_eq!(route_key_utf16(&units(address), &units(route)), key);
        key
    }

    #[test]
    fn route_keys_are_readable_unless_they_would_be_ambiguous() {
        for (address, route, wanted) in [
            ("203.0.113.7", "/login", "ratelimit:203.0.113.7:/login"),
            ("2001:db8::1", "/users/{id}", "ratelimit:2001:db8::1:/users/%7Bid%7D"),
            ("fe80::1%eth0", "GET:/é", "ratelimit:fe80::1%eth0:GET%3A/é"),
            ("%7b{%25", "%", "ratelimit:%257b%7B%2525:%25"),
            ("%SHA256%", "", "ratelimit:%25SHA256%:"),
            ("%sha256}", "", "ratelimit:%25sha256%7D:"),
        ] {
            assert_eq!(key(address, route), wanted);
        }
        let long = key(&"a".repeat(513), &"é".repeat(512));
        assert!(long.starts_with("ratelimit:%sha256%") && long.ends_with(&format!(":{}", "é".repeat(512))));
        let lone = |unit: u16| route_key_utf16(&[unit, u16::from(b'{')], &[]);
        assert_ne!(lone(0xd800), lone(0xd801), "ill-formed texts stay different");
        assert!(is_route_key(&lone(0xd800)));
    }

    proptest! {
        #[test]
        fn every_route_key_is_recognized_and_no_two_are_equal(
            one in ("(%sha256|[%{}:a257bDsh]){0,12}|.{0,600}", "[%{}:a257bD]{0,12}|.{0,600}"),
            other in ("(%sha256|[%{}:a257bDsh]){0,12}|.{0,600}", "[%{}:a257bD]{0,12}|.{0,600}"),
        ) {
            prop_assert!(is_route_key(&key(&one.0, &one.1)));
            prop_assert_eq!(one == other, key(&one.0, &one.1) == key(&other.0, &other.1));
        }
    }

    #[test]
    fn only_what_is_built_from_an_address_and_a_route_is_a_route_key() {
        let hash = "0".repeat(64);
        for key in [
            "ratelimit:203.0.113.7:/login",
            "ratelimit:2001:db8::1:/api/users/%7Bid%7D",
            "ratelimit:fe80::1%eth0:/",
            "ratelimit:::",
            "ratelimit:%257B:%25",
            "ratelimit:%3A:/",
            "ratelimit:a:GET%3A/",
            &format!("ratelimit:%sha256%{hash}:%sha256%{hash}"),
            &format!("ratelimit:%25sha256%{hash}:/"),
        ] {
            assert!(is_route_key(key), "{key}");
        }
        for text in [
            "ratelimit:",
            "ratelimit:bob",
            "ratelimit:1.2.3.4:/users/{id}",
            "ratelimit:{session:x}:/",
            "ratelimit:a:%",
            "ratelimit:a:%7b",
            "ratelimit:%25:/",
            "ratelimit:%7b:/",
            &format!("ratelimit:%sha256%{}:/", "0".repeat(63)),
            &format!("ratelimit:a:{}", "x".repeat(513)),
            "rate_limit:a:/",
        ] {
            assert!(!is_route_key(text), "{text}");
        }
    }
}
