//! What a session has of its own: `60000 ["tag"]`, its life in milliseconds and its tags.

use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, Kind, Result};

/// A session's own life and tags.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Own {
    /// The life that renewals give it; `None` for that of all sessions.
    pub life: Option<Duration>,
    /// What it can be destroyed by.
    pub tags: Vec<String>,
}

impl Own {
    /// Reads what was written. What cannot be read is as if it was not there.
    pub fn read(text: Option<&[u8]>) -> Self {
        text.and_then(Self::parse).unwrap_or_default()
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let (life, tags) = std::str::from_utf8(text).ok()?.split_once(' ')?;
        Some(Self {
            life: Some(Duration::from_millis(life.parse().ok()?)),
            tags: serde_json::from_str(tags).unwrap_or_default(),
        })
    }

    /// The text.
    pub fn write(&self) -> Result<Bytes> {
        let tags = serde_json::to_string(&self.tags)
            .map_err(|error| Error::new(Kind::Internal, "JSON could not be written").with_source(error))?;
        Ok(format!("{} {tags}", self.life.unwrap_or_default().as_millis()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let own = Own { life: Some(Duration::from_millis(1500)), tags: vec!["a b\"".into(), "ü".into()] };
        assert_eq!(own.write().unwrap(), "1500 [\"a b\\\"\",\"ü\"]");
        assert_eq!(Own::read(Some(&own.write().unwrap())), own);
    }

    #[test]
    fn what_others_wrote_is_ignored() {
        assert_eq!(Own::read(None), Own::default());
        assert_eq!(Own::read(Some(b"x [] ")), Own::default());
        assert_eq!(Own::read(Some(b"\xff")), Own::default());
    }
}
