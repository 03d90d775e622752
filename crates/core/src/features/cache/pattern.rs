//! Removes the keys that match a pattern, in many small scans, so that other callers do not wait long.

use bytes::Bytes;
use cinnabar_port::{Args, Call, Effect, Replies, Reply, Request, Step};

/// How many keys the server visits in one scan.
const SCAN_COUNT: &[u8] = b"1000";

/// Removes every key that matches a pattern and is `wanted`, with this effect. Returns how many.
pub fn remove(pattern: Bytes, effect: Effect, wanted: impl Fn(&[u8]) -> bool + Send + 'static) -> Call<i64> {
    scan_from((pattern, effect, Box::new(wanted)), Bytes::from_static(b"0"), None, 0)
}

/// The pattern, the effect of removing a key, and which matching keys to remove.
type Target = (Bytes, Effect, Box<dyn Fn(&[u8]) -> bool + Send>);

fn scan_from(target: Target, cursor: Bytes, unlink: Option<Request>, removed: i64) -> Call<i64> {
    let unlinks = unlink.is_some();
    let args =
        [cursor, Bytes::from_static(b"MATCH"), target.0.clone(), Bytes::from_static(b"COUNT"), SCAN_COUNT.into()];
    let next = Request::command("SCAN", args).reads();
    Call::round(unlink.into_iter().chain([next]), move |Replies(replies)| {
        let mut replies = replies.into_iter();
        let mut removed = removed;
        if unlinks {
            removed += replies.next().unwrap_or(Ok(Reply::Int(0)))?.int()?;
        }
        let [cursor, found] = replies.next().unwrap_or(Ok(Reply::Nil))?.tuple()?;
        let (cursor, found) = (cursor.bulk()?.unwrap_or_default(), found.array()?);
        let unlink = self::unlink(found, &target);
        if &cursor[..] != b"0" {
            return Ok(Step::Next(scan_from(target, cursor, unlink, removed)));
        }
        Ok(match unlink {
            None => Step::Done(removed),
            Some(last) => Step::Next(Call::new(last, move |reply| Ok(removed + reply.int()?))),
        })
    })
}

fn unlink(found: Vec<Reply>, (_, effect, wanted): &Target) -> Option<Request> {
    let keys = found.into_iter().filter_map(|key| key.bulk().ok().flatten());
    let keys: Args = keys.filter(|key| wanted(key)).collect();
    let count = keys.len();
    (count > 0).then(|| Request::with_keys("UNLINK", keys, count).idempotent().with_effect(effect.clone()))
}
