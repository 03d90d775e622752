//! All locks under the prefix.

use bytes::Bytes;
use cinnabar_port::{Call, Request, Step, error::Result};

use super::{Info, Locks, described};
use crate::keys;

/// How many keys the server visits at once.
const SCAN_COUNT: &[u8] = b"1000";

/// A part of all locks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// Where the next ones begin; `0` at the end.
    pub cursor: String,
    /// Resources whose locks are held. As with any scan, one may be returned more than once.
    pub locks: Vec<(String, Info)>,
}

impl Locks {
    /// Returns some of the locks that are held, from this cursor; the first one is `0`. A resource of more than 512 bytes does not follow from
    /// its key, and is left out.
    pub fn list(self: &std::sync::Arc<Self>, cursor: String) -> Call<Listing> {
        let pattern = keys::pattern_of(self.prefix.as_str());
        // Other keys of locks are of other types, but for the fencing tokens.
        let [of, kind] = ["TYPE", "string"].map(Bytes::from);
        let args = [Bytes::from(cursor), "MATCH".into(), pattern, "COUNT".into(), SCAN_COUNT.into(), of, kind];
        let locks = self.clone();
        Call::round([Request::command("SCAN", args).reads()], move |replies| {
            let [cursor, found] = replies.last()?.tuple()?;
            let cursor = String::from_utf8_lossy(&cursor.bulk()?.unwrap_or_default()).into_owned();
            let mut resources = Vec::new();
            for key in found.array()? {
                resources.extend(keys::lock_resource(&locks.prefix, &key.bulk()?.unwrap_or_default()));
            }
            if resources.is_empty() {
                return Ok(Step::Done(Listing { cursor, locks: Vec::new() }));
            }
            locks.describe(cursor, resources).map(Step::Next)
        })
    }

    /// Describes those of them that are held.
    fn describe(&self, cursor: String, resources: Vec<String>) -> Result<Call<Listing>> {
        let requests: Result<Vec<_>> = resources.iter().map(|resource| Ok(self.target(resource)?.info())).collect();
        Ok(Call::round(requests?, move |replies| {
            let mut locks = Vec::new();
            for (resource, reply) in resources.into_iter().zip(replies.0) {
                let info = described(reply?)?;
                if info.is_locked {
                    locks.push((resource, info));
                }
            }
            Ok(Step::Done(Listing { cursor, locks }))
        }))
    }
}
