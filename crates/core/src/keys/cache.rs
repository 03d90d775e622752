//! Keys of a cache. Any text is accepted as a name, since it may be untrusted input.

use bytes::Bytes;
use cinnabar_port::error::{Error, Result};

use super::{Prefix, companion_of, decoded_id, glob, lenient};

/// The prefix of the names of images' metadata.
pub const IMAGES: &str = "image:";

/// Returns the key of a cached value.
pub fn cache_entry(prefix: &Prefix, name: &str) -> Bytes {
    [prefix.as_str(), &lenient(name)].concat().into()
}

/// Returns the key of the lease for loads of that value, in the same slot as the value.
pub fn cache_lease(prefix: &Prefix, name: &str) -> Bytes {
    companion_of(prefix, cache_entry(prefix, name), LEASE)
}

/// Returns the key of the claim for loads of that value, in the same slot as the value.
pub fn cache_claim(prefix: &Prefix, name: &str) -> Bytes {
    companion_of(prefix, cache_entry(prefix, name), CLAIM)
}

/// Returns the key of the epoch of a tag.
pub fn cache_tag_epoch(prefix: &Prefix, tag: &str) -> Bytes {
    companion_of(prefix, format!("{}tag:{}", prefix.as_str(), lenient(tag)), EPOCH)
}

/// Returns the key of the epoch of all values.
pub fn cache_all_epoch(prefix: &Prefix) -> Bytes {
    companion_of(prefix, format!("{}all", prefix.as_str()), EPOCH)
}

/// Returns the name of an endpoint's response to parameters with this hash: `cache:{endpoint}:{hash}`.
///
/// # Errors
/// `E_INVALID_ARGUMENT` for an empty endpoint.
pub fn endpoint(endpoint: &str, hash: &str) -> Result<String> {
    if endpoint.is_empty() {
        return Err(Error::argument("endpoint must not be empty"));
    }
    Ok(format!("cache:{endpoint}:{hash}"))
}

/// Returns patterns for the keys of values whose names match a glob, and for their leases.
///
/// `*`, `?` and `[a-z]` work as in Redis, `\\` escapes them, and everything else is literal. Names over 512 bytes are stored as
/// hashes and match only `*`.
///
/// # Errors
/// `E_INVALID_ARGUMENT` if the pattern is empty, or has a class that is not closed, that no name can match or that looks like a
/// word; or if the prefix is empty, since the pattern would match all keys of the database.
pub fn cache_pattern(prefix: &Prefix, glob: &str) -> Result<(Bytes, Bytes)> {
    if prefix.as_str().is_empty() {
        return Err(Error::argument(
            "a cache with the prefix '' cannot distinguish its keys from others, so it does not support patterns: invalidate by \
             key or by tag, or set a prefix",
        ));
    }
    let (prefix, names) = (glob::literal(prefix.as_str()), glob::names(glob)?);
    Ok((format!("{prefix}{names}").into(), format!("{prefix}{{{prefix}{names}}}:{LEASE}").into()))
}

/// Returns the name of which this is the key, if there is one: a long name has a key from which it does not follow.
pub fn cache_name(prefix: &Prefix, key: &[u8]) -> Option<String> {
    let name = match key.strip_prefix(prefix.as_str().as_bytes())? {
        b"%empty" => String::new(),
        name => decoded_id(name),
    };
    Some(name).filter(|name| cache_entry(prefix, name) == key)
}

/// Whether a key is that of a value rather than a companion key.
pub fn is_cache_entry(prefix: &Prefix, key: &[u8]) -> bool {
    key.strip_prefix(prefix.as_str().as_bytes()).is_some_and(|name| name.first() != Some(&b'{'))
}

const LEASE: &str = "load";
pub(super) const EPOCH: &str = "mark";
const CLAIM: &str = "claim";
