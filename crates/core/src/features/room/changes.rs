//! Who comes and who goes, told by the scripts that change it. What they tell is a hint: the users are what counts.

use bytes::Bytes;
use cinnabar_port::{Call, Merge, Reply, Request, error::Result};

use super::{Rooms, json};
use crate::keys;

/// Something that happened to a user in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub what: What,
    /// To whom.
    pub user: Bytes,
    /// What is known about the user from now on: JSON, empty where one has left.
    pub info: Bytes,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The user was not there before.
    Join,
    /// The user was there, and something else is known now.
    Update,
    /// The user is not there any more.
    Leave,
}

impl What {
    /// Its name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Update => "update",
            Self::Leave => "leave",
        }
    }
}

/// The changes of one message; `None` when it is none of ours.
pub fn changes(payload: &Bytes) -> Option<Vec<Change>> {
    let mut at = 0;
    let fields = payload.split(|byte| *byte == 0).map(|field| {
        let field = payload.slice(at..at + field.len());
        at += field.len() + 1;
        field
    });
    let fields: Vec<Bytes> = fields.collect();
    let (threes, rest) = fields.as_chunks::<3>();
    if !rest.is_empty() {
        return None;
    }
    let change = |[what, user, info]: &[Bytes; 3]| {
        let what = [What::Join, What::Update, What::Leave].into_iter().find(|known| known.name().as_bytes() == what)?;
        Some(Change { what, user: user.clone(), info: info.clone() })
    };
    threes.iter().map(change).collect()
}

impl Change {
    /// `[user, info]` as JSON; a value that is not JSON reads `{ error: 'Invalid data' }`.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn to_json(&self) -> Result<Bytes> {
        let user = json::string(&String::from_utf8_lossy(&self.user))?;
        let info = if self.what == What::Leave { b"null" } else { json::or_invalid(&self.info) };
        Ok([b"[", user.get().as_bytes(), b",", info, b"]"].concat().into())
    }
}

impl Rooms {
    /// Where changes of who is in a room are told.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a room without a name.
    pub fn changes_channel(&self, room: &str) -> Result<Bytes> {
        Ok(keys::room_changes(&self.prefix, &keys::room_users(&self.prefix, room)?, self.database))
    }

    /// How many users are in a room.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a room without a name.
    pub fn count(&self, room: &str) -> Result<Call<usize>> {
        let request = Request::keyed("HLEN", [keys::room_users(&self.prefix, room)?]);
        Ok(Call::new(request.merging(Merge::Dedup).reads(), |reply: Reply| Ok(reply.int()?.max(0) as usize)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_may_tell_of_several() {
        let parts = changes(&Bytes::from_static(b"join\0ann\0{\"a\":1}\0leave\0b\xc3\xbcb\0")).unwrap();
        let text: Vec<_> = parts.iter().map(|change| (change.what.name(), change.to_json().unwrap())).collect();
        assert_eq!(text, [("join", r#"["ann",{"a":1}]"#.into()), ("leave", r#"["büb",null]"#.into())]);
        let odd = changes(&Bytes::from_static(b"update\0\"\0oops")).unwrap();
        assert_eq!(odd[0].to_json().unwrap(), r#"["\"",{"error":"Invalid data"}]"#);
    }

    #[test]
    fn what_somebody_else_publishes_is_none_of_ours() {
        for foreign in ["", "join", "join\0ann", "jump\0ann\0{}", "join\0ann\0{}\0", "{\"a\":1}"] {
            assert_eq!(changes(&Bytes::from(foreign)), None, "{foreign:?}");
        }
    }
}
