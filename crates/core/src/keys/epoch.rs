//! Epochs: keys by whose change what records their former value ends.

use bytes::Bytes;
use cinnabar_port::error::Result;

use super::{Prefix, cache, companion, is_companion};

/// The suffix of the epochs of sessions.
const EPOCH: &str = "epoch";

/// Returns the key of the epoch of a user, which the user's sessions must match to be valid.
pub fn user_epoch(prefix: &Prefix, user: &str) -> Result<Bytes> {
    companion(prefix, "user:", "userId", user, EPOCH)
}

/// Returns the key of the epoch of a tag, which its sessions must match to be valid.
pub fn tag_epoch(prefix: &Prefix, tag: &str) -> Result<Bytes> {
    companion(prefix, "tag:", "tag", tag, EPOCH)
}

/// Whether `key` is the `user_epoch` of this user.
pub fn is_user_epoch(prefix: &Prefix, user: &str, key: &[u8]) -> bool {
    is_companion(key, prefix, "user:", user, EPOCH)
}

/// Whether `key` is the `tag_epoch` of this tag.
pub fn is_tag_epoch(prefix: &Prefix, tag: &str, key: &[u8]) -> bool {
    is_companion(key, prefix, "tag:", tag, EPOCH)
}

/// Whether a key is that of an epoch: of a user, of a tag, or of all values of a cache.
pub fn is_epoch(prefix: &Prefix, key: &[u8]) -> bool {
    let companion = key.strip_prefix(prefix.0.as_bytes()).filter(|rest| rest.starts_with(b"{"));
    let suffix =
        companion.and_then(|companion| companion.iter().rposition(|byte| *byte == b'}').map(|at| &companion[at..]));
    suffix.is_some_and(|suffix| {
        [EPOCH, cache::EPOCH].iter().any(|epoch| suffix.strip_prefix(b"}:") == Some(epoch.as_bytes()))
    })
}
