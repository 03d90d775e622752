//! Changes of a room's users, published by the scripts that make them. A published change is only a hint: the stored users are decisive.

use bytes::Bytes;
use cinnabar_port::{Call, Merge, Reply, Request, error::Result};

use super::{Rooms, json};
use crate::keys;

/// A change of a user in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The kind of a change.
    pub what: What,
    /// The user.
    pub user: Bytes,
    /// The user's new info as JSON; empty for a user who left.
    pub info: Bytes,
}

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The user was added.
    Join,
    /// The user's info was replaced.
    Update,
    /// The user was removed.
    Leave,
}

impl What {
    /// Returns its name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Update => "update",
            Self::Leave => "leave",
        }
    }
}

/// Parses the changes of one message. `None` if another program published it.
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
    /// Encodes `[user, info]`. An info that is not JSON is read as `{ error: 'Invalid data' }`.
    ///
    /// # Errors
    /// `E_INTERNAL` only.
    pub fn to_json(&self) -> Result<Bytes> {
        let user = json::string(&String::from_utf8_lossy(&self.user))?;
        let info = if self.what == What::Leave { b"null" } else { json::or_invalid(&self.info) };
        Ok([b"[", user.get().as_bytes(), b",", info, b"]"].concat().into())
    }
}

impl Rooms {
    /// Returns the channel of changes of a room's users.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an empty room.
    pub fn changes_channel(&self, room: &str) -> Result<Bytes> {
        Ok(keys::room_changes(&self.prefix, &keys::room_users(&self.prefix, room)?, self.database))
    }

    /// Returns how many users are in a room.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an empty room.
    pub fn count(&self, room: &str) -> Result<Call<usize>> {
        let request = Request::keyed("HLEN", [keys::room_users(&self.prefix, room)?]);
        Ok(Call::new(request.merging(Merge::Dedup).reads(), |reply: Reply| Ok(reply.int()?.max(0) as usize)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_may_have_several_changes() {
        let parts = changes(&Bytes::from_static(b"join\0ann\0{\"a\":1}\0leave\0b\xc3\xbcb\0")).unwrap();
        let text: Vec<_> = parts.iter().map(|change| (change.what.name(), change.to_json().unwrap())).collect();
        assert_eq!(text, [("join", r#"["ann",{"a":1}]"#.into()), ("leave", r#"["büb",null]"#.into())]);
        let odd = changes(&Bytes::from_static(b"update\0\"\0oops")).unwrap();
        assert_eq!(odd[0].to_json().unwrap(), r#"["\"",{"error":"Invalid data"}]"#);
    }

    #[test]
    fn messages_of_other_programs_are_ignored() {
        for foreign in ["", "join", "join\0ann", "jump\0ann\0{}", "join\0ann\0{}\0", "{\"a\":1}"] {
            assert_eq!(changes(&Bytes::from(foreign)), None, "{foreign:?}");
        }
    }
}
