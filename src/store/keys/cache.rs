//! Keys of a cache. A name is any text: what is asked for may come from a stranger.

use bytes::Bytes;

use super::{Prefix, any, beside, glob};
use crate::error::{Error, Result};

/// A cached value.
pub fn cache_entry(prefix: &Prefix, name: &str) -> Bytes {
    [prefix.as_str(), &any(name)].concat().into()
}

/// The lease of a load of that value. In the value's slot.
pub fn cache_lease(prefix: &Prefix, name: &str) -> Bytes {
    beside(prefix, cache_entry(prefix, name), LEASE)
}

/// The mark of a tag.
pub fn cache_tag(prefix: &Prefix, tag: &str) -> Bytes {
    beside(prefix, format!("{}tag:{}", prefix.as_str(), any(tag)), "mark")
}

/// The name of what an endpoint answers to parameters with this hash: `cache:{endpoint}:{hash}`.
///
/// # Errors
/// `E_INVALID_ARGUMENT` for an empty endpoint.
pub fn endpoint(endpoint: &str, hash: &str) -> Result<String> {
    if endpoint.is_empty() {
        return Err(Error::argument("endpoint must not be empty"));
    }
    Ok(format!("cache:{endpoint}:{hash}"))
}

/// The values whose names match a glob, and the leases of their loads.
///
/// `*`, `?` and `[a-z]` mean what they mean to Redis, `\\` takes that meaning away, everything else stands for itself. Names
/// over 512 bytes are stored hashed and match no pattern but `*`.
///
/// # Errors
/// `E_INVALID_ARGUMENT` when the pattern is empty, has a class that never ends or that no name can match, or one that reads
/// like a word; when the prefix is empty, and so everything in the database would be the cache's.
pub fn cache_pattern(prefix: &Prefix, glob: &str) -> Result<(Bytes, Bytes)> {
    if prefix.as_str().is_empty() {
        return Err(Error::argument(
            "a cache with the prefix '' cannot tell its keys from those of others, so it takes no patterns: invalidate by \
             key or by tag, or give it a prefix",
        ));
    }
    let (prefix, names) = (glob::literal(prefix.as_str()), glob::names(glob)?);
    Ok((format!("{prefix}{names}").into(), format!("{prefix}{{{prefix}{names}}}:{LEASE}").into()))
}

/// Whether a key is that of a value, and not of something that lies beside one.
pub fn is_cache_entry(prefix: &Prefix, key: &[u8]) -> bool {
    key.strip_prefix(prefix.as_str().as_bytes()).is_some_and(|name| name.first() != Some(&b'{'))
}

const LEASE: &str = "load";
