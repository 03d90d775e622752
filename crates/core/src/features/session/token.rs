//! Session tokens: what a client holds instead of an id when the store has only a hash.
//!
//! A token has a form of its own, so that one call accepts both: a text of this form is never an id, and the hash under which a
//! session is stored is neither.

use cinnabar_port::{error::Result, random};
use ring::digest::{SHA256, digest};

/// How every token begins.
const BEGINNING: &str = "cst_";
/// The field of what is left under a rotated token.
pub const SALT: &str = "salt";
/// The field that says that the old token gives no access, however new its rotation is.
pub const ENDED: &str = "ended";
/// 256 bits.
const RANDOM_BYTES: usize = 32;

/// Returns a new token: `cst_` and 64 hexadecimal digits.
pub fn random() -> Result<String> {
    Ok([BEGINNING, &random::hex::<RANDOM_BYTES>()?].concat())
}

/// Returns the token that follows this one when it is rotated with this salt. Who knows only the salt, which is stored, cannot compute it.
pub fn successor(token: &str, salt: &str) -> String {
    let text = ["the successor of ", token, " by ", salt].concat();
    [BEGINNING, &random::to_hex(digest(&SHA256, text.as_bytes()).as_ref())].concat()
}

/// Whether a text has the form of a token.
pub fn is_token(text: &str) -> bool {
    text.strip_prefix(BEGINNING).is_some_and(is_hash)
}

/// Whether a text has the form of a token's hash: 64 hexadecimal digits.
pub fn is_hash(text: &str) -> bool {
    let digits = text.as_bytes();
    digits.len() == 2 * RANDOM_BYTES && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}
