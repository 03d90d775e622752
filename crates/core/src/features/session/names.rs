//! The keys of sessions: of one by its id and the reverse, and all under the prefix.

use bytes::Bytes;
use cinnabar_port::{
    Call, Reply, Request, Step,
    error::{Kind, Result},
};

use super::{Sessions, contents::Contents, metadata, token};
use crate::keys;

/// How many keys the server visits at once.
const SCAN_COUNT: &[u8] = b"1000";
/// The length of the metadata that shows the kind of a value.
const ENDING: &[u8] = b"-4";

/// A part of all sessions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Names {
    /// Where the next ones begin; `0` at the end.
    pub cursor: String,
    /// Ids. As with any scan, one may be returned more than once.
    pub ids: Vec<String>,
    /// Names for those whose id does not follow from the key: the hashes of tokens, and of long ids.
    pub hashes: Vec<String>,
}

impl Sessions {
    /// Returns the key under which a session with this id or token is stored.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` if it is neither.
    pub fn key_of(&self, id: &str) -> Result<Bytes> {
        self.key(id).map(|key| key.redis_key)
    }

    /// Returns the id of the session that is stored under this key, if it follows from the key.
    pub fn id_of(&self, key: &str) -> Option<String> {
        let id = keys::session_id(&self.0.prefix, key.as_bytes())?;
        (!self.0.hashed && !token::is_token(&id) && !token::is_hash(&id)).then_some(id)
    }

    /// Returns the names of some sessions, from this cursor; the first one is `0`.
    pub fn scan(&self, cursor: String) -> Call<Names> {
        let pattern = keys::pattern_of(self.0.prefix.as_str());
        // Other programs may have lists or sets under the prefix.
        let [of, kind] = ["TYPE", "string"].map(Bytes::from);
        let args = [Bytes::from(cursor), "MATCH".into(), pattern, "COUNT".into(), SCAN_COUNT.into(), of, kind];
        let sessions = self.clone();
        Call::round([Request::command("SCAN", args).reads()], move |replies| {
            let [cursor, found] = replies.last()?.tuple()?;
            let cursor = String::from_utf8_lossy(&cursor.bulk()?.unwrap_or_default()).into_owned();
            let (mut ids, mut hashes, mut unclear) = (Vec::new(), Vec::new(), Vec::new());
            for key in found.array()? {
                let key = key.bulk()?.unwrap_or_default();
                match keys::session_id(&sessions.0.prefix, &key) {
                    Some(id) if token::is_hash(&id) => unclear.push((key, id)),
                    Some(id) if !sessions.0.hashed && !token::is_token(&id) => ids.push(id),
                    None if !sessions.0.hashed && keys::is_long_session(&sessions.0.prefix, &key) => {
                        hashes.push(String::from_utf8_lossy(&key).into_owned());
                    }
                    _ => {}
                }
            }
            let names = Names { cursor, ids, hashes };
            Ok(if unclear.is_empty() { Step::Done(names) } else { Step::Next(sessions.with_kinds(names, unclear)) })
        })
    }

    /// Adds those which only their values show to be sessions.
    fn with_kinds(&self, mut names: Names, unclear: Vec<(Bytes, String)>) -> Call<Names> {
        let (keys, ids): (Vec<_>, Vec<_>) = unclear.into_iter().unzip();
        let last = |key| Request::keyed("GETRANGE", [key, ENDING.into(), "-1".into()]).reads();
        let hashed = self.0.hashed;
        Call::round(keys.into_iter().map(last), move |replies| {
            for (reply, id) in replies.0.into_iter().zip(ids) {
                let last = match reply.and_then(Reply::bulk) {
                    Ok(last) => last.unwrap_or_default(),
                    Err(error) if error.kind == Kind::WrongType => continue,
                    Err(error) => return Err(error),
                };
                match metadata::kind_by(&last) {
                    // A missing value reads as an empty one.
                    _ if last.is_empty() => {}
                    Some(Contents::Hashed) => names.hashes.push(id),
                    Some(Contents::Session) | None if !hashed => names.ids.push(id),
                    _ => {}
                }
            }
            Ok(Step::Done(names))
        })
    }
}
