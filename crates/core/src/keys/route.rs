//! Keys that limit an address on a route: `ratelimit:{ip}:{endpoint}`, as `keyForRoute` of lib/limit/route-key.js builds them.

use std::borrow::Cow;

/// The prefix of route keys, which are used without further encoding. It follows the prefix of a limiter with a custom one.
pub const ROUTES: &str = "ratelimit:";

/// Longer parts are hashed.
const LONGEST_PART: usize = 512;
const HASHED: &str = "%sha256%";
const ADDRESS_CODES: [(&str, char); 3] = [("%25", '%'), ("%7B", '{'), ("%7D", '}')];
const ROUTE_CODES: [(&str, char); 4] = [("%25", '%'), ("%3A", ':'), ("%7B", '{'), ("%7D", '}')];

/// Whether this is exactly what `keyForRoute` returns for some address and route, so that it can be used as it is. Anything else
/// that begins so is an identifier like any other: it may have braces, and several texts may name one address.
pub fn is_route_key(text: &str) -> bool {
    let parts = text.strip_prefix(ROUTES).and_then(|rest| rest.rsplit_once(':'));
    parts.is_some_and(|(address, route)| {
        is_part(address, &ADDRESS_CODES, encode_address) && is_part(route, &ROUTE_CODES, encode_route)
    })
}

fn is_part(part: &str, codes: &[(&str, char)], encode: impl Fn(&str) -> String) -> bool {
    if let Some(hash) = part.strip_prefix(HASHED) {
        return hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    }
    part.encode_utf16().count() <= LONGEST_PART && encode(&decode(part, codes)) == part
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

fn encode_route(route: &str) -> String {
    encode(route, |c, _| matches!(c, '%' | ':' | '{' | '}'))
}

/// In an address, which may have a zone (`fe80::1%eth0`), `%` is encoded only where it could be read as a code of ours.
fn encode_address(address: &str) -> String {
    encode(address, |c, rest| match c {
        '{' | '}' => true,
        '%' => ["25", "7b", "7d", "sha256%"]
            .iter()
            .any(|code| rest.get(..code.len()).is_some_and(|start| start.eq_ignore_ascii_case(code))),
        _ => false,
    })
}

fn encode(text: &str, is_special: impl Fn(char, &str) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if is_special(c, &text[at + c.len_utf8()..]) {
            encoded.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            encoded.push(c);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

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
