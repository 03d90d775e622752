//! Endings of sessions and rotations of their tokens. They are published, so that every process can close what is bound to a session. A
//! published ending is only a hint: the stored session is decisive.

use bytes::Bytes;
use cinnabar_port::{Call, Request, Step, error::Result};
use serde::{Deserialize, Serialize};

use super::Sessions;
use crate::keys;

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It was destroyed, or another session of the same browser took its place.
    Destroyed,
    /// All sessions of its user were.
    UserInvalidated,
    /// All sessions with one of its tags were.
    TagDestroyed,
    /// Its user signed in elsewhere and has as many sessions as allowed.
    Limit,
    /// It belongs to another user, or to none.
    UserChanged,
    /// It was not used for its ttl, or its absolute ttl is over.
    Expired,
    /// The store could not be reached for as long as a lease, so it may have ended.
    Unreachable,
    /// It has another token. If the old one ended at once, so does what is bound to it.
    Rotated,
    /// It has not ended: it is new.
    Created,
}

impl Reason {
    /// Returns its name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Self::Destroyed => "destroyed",
            Self::UserInvalidated => "user-invalidated",
            Self::TagDestroyed => "tag-destroyed",
            Self::Limit => "limit",
            Self::UserChanged => "user-changed",
            Self::Expired => "expired",
            Self::Unreachable => "unreachable",
            Self::Rotated => "rotated",
            Self::Created => "created",
        }
    }
}

/// What ended: one session, or those of a user or with a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// The reason.
    pub reason: Reason,
    /// The public id of the session; `None` for those of a user or with a tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_id: Option<String>,
    /// Its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Whether the session goes on under another token.
    #[serde(default, skip_serializing_if = "is_false")]
    pub goes_on: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Ending {
    /// Creates the ending of one session.
    pub fn of_session(reason: Reason, public_id: String, user: Option<String>) -> Self {
        Self { reason, public_id: Some(public_id), user_id: user, tag: None, goes_on: false }
    }

    /// Creates the ending of a user's sessions.
    pub fn of_user(user: String) -> Self {
        Self { reason: Reason::UserInvalidated, public_id: None, user_id: Some(user), tag: None, goes_on: false }
    }

    /// Creates the ending of the sessions with a tag.
    pub fn of_tag(tag: String) -> Self {
        Self { reason: Reason::TagDestroyed, public_id: None, user_id: None, tag: Some(tag), goes_on: false }
    }

    /// Parses a message. `None` if another program published it.
    pub fn read(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }
}

impl Sessions {
    /// Returns the channel on which endings are published.
    pub fn endings_channel(&self) -> Bytes {
        keys::session_endings(&self.0.prefix, self.0.database)
    }

    /// Publishes endings, then continues. A message that the server does not accept changes nothing: what is bound to the session notices a
    /// little later.
    pub(super) fn announce<T: Send + 'static>(
        &self,
        endings: impl IntoIterator<Item = Ending>,
        next: impl FnOnce() -> Result<Step<T>> + Send + 'static,
    ) -> Result<Step<T>> {
        let publish = |ending: Ending| {
            let text = serde_json::to_vec(&ending).unwrap_or_default();
            Request::command("PUBLISH", [self.endings_channel(), text.into()]).idempotent().without_effect()
        };
        let requests: Vec<_> = endings.into_iter().map(publish).collect();
        if requests.is_empty() {
            return next();
        }
        Ok(Step::Next(Call::round(requests, move |_| next())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_is_read_as_it_was_published() {
        let endings = [
            Ending::of_session(Reason::Limit, "a1".into(), Some("ann".into())),
            Ending::of_session(Reason::Rotated, "a1".into(), None),
            Ending { goes_on: true, ..Ending::of_session(Reason::Rotated, "a1".into(), None) },
            Ending::of_user("ann".into()),
            Ending::of_tag("eu".into()),
        ];
        for ending in endings {
            let text = serde_json::to_string(&ending).unwrap();
            assert!(text.contains(&format!("\"reason\":\"{}\"", ending.reason.name())), "{text}");
            assert_eq!(Ending::read(text.as_bytes()), Some(ending));
        }
    }

    #[test]
    fn messages_of_other_programs_are_ignored() {
        for text in ["", "{}", "[]", r#"{"reason":"bored"}"#, r#"{"reason":"limit","publicId":1}"#, "\u{0}"] {
            assert_eq!(Ending::read(text.as_bytes()), None, "{text}");
        }
    }
}
