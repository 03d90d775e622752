//! Epochs of sessions: keys by whose change what records their former value ends.

use bytes::Bytes;
use cinnabar_port::error::Result;

use super::{Prefix, companion, is_companion};

/// Returns the key of the epoch of a user, which the user's sessions must match to be valid.
pub fn user_epoch(prefix: &Prefix, user: &str) -> Result<Bytes> {
    companion(prefix, "user:", "userId", user, "epoch")
}

/// Returns the key of the epoch of a tag, which its sessions must match to be valid.
pub fn tag_epoch(prefix: &Prefix, tag: &str) -> Result<Bytes> {
    companion(prefix, "tag:", "tag", tag, "epoch")
}

/// Whether `key` is the `user_epoch` of this user.
pub fn is_user_epoch(prefix: &Prefix, user: &str, key: &[u8]) -> bool {
    is_companion(key, prefix, "user:", user, "epoch")
}

/// Whether `key` is the `tag_epoch` of this tag.
pub fn is_tag_epoch(prefix: &Prefix, tag: &str, key: &[u8]) -> bool {
    is_companion(key, prefix, "tag:", tag, "epoch")
}

/// Whether a key is that of an epoch: of a user, of a tag, or of all values of a cache.
pub fn is_epoch(prefix: &Prefix, key: &[u8]) -> bool {
    let companion = key.strip_prefix(prefix.0.as_bytes()).filter(|rest| rest.starts_with(b"{"));
    companion.is_some_and(|companion| companion.ends_with(b"}:epoch") || companion.ends_with(b"}:mark"))
}
