//! Removing what matches a pattern: the server is asked portion by portion, so that nobody else waits long.

use bytes::Bytes;

use crate::{
    error::Result,
    store::{Args, Call, Replies, Reply, Request, Step},
};

/// Keys the server looks at a portion.
const PORTION: &[u8] = b"1000";

/// Removes every key that matches; answers how many.
pub fn remove(pattern: Bytes) -> Result<Call<i64>> {
    Ok(portion(pattern, Bytes::from_static(b"0"), Vec::new(), 0))
}

fn portion(pattern: Bytes, cursor: Bytes, found: Vec<Reply>, removed: i64) -> Call<i64> {
    let unlink = unlink(found);
    let unlinks = unlink.is_some();
    let args = [cursor, Bytes::from_static(b"MATCH"), pattern.clone(), Bytes::from_static(b"COUNT"), PORTION.into()];
    let scan = Request::command("SCAN", args).repeatable();
    Call::round(unlink.into_iter().chain([scan]), move |Replies(replies)| {
        let mut replies = replies.into_iter();
        let mut removed = removed;
        if unlinks {
            removed += replies.next().unwrap_or(Ok(Reply::Int(0)))?.int()?;
        }
        let [cursor, found] = replies.next().unwrap_or(Ok(Reply::Nil))?.tuple()?;
        let (cursor, found) = (cursor.bulk()?.unwrap_or_default(), found.array()?);
        if &cursor[..] != b"0" {
            return Ok(Step::Next(portion(pattern, cursor, found, removed)));
        }
        Ok(match self::unlink(found) {
            None => Step::Done(removed),
            Some(last) => Step::Next(Call::new(last, move |reply| Ok(removed + reply.int()?))),
        })
    })
}

fn unlink(found: Vec<Reply>) -> Option<Request> {
    let keys = found.into_iter().filter_map(|key| key.bulk().ok().flatten());
    // A name has no brace: what has one stands beside the entries of a prefix and matches `*` as they do.
    let keys: Args = keys.filter(|key| !key.contains(&b'{')).collect();
    let count = keys.len();
    (count > 0).then(|| Request::with_keys("UNLINK", keys, count).repeatable())
}
