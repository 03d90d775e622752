//! What a call published: messages are only hints, and the server may deny them.

use bytes::Bytes;

use super::Queue;

/// Whether messages of a call were denied, for each channel on which it published any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Published {
    /// Of events.
    pub events: Option<bool>,
    /// Of wake-ups.
    pub wake: Option<bool>,
}

impl Published {
    /// Reads the code that scripts return.
    pub(super) fn of(code: i64) -> Self {
        let read = |said| match said {
            1 => Some(false),
            2 => Some(true),
            _ => None,
        };
        Self { events: read(code / 3), wake: read(code % 3) }
    }

    /// Combines two: denied once is denied.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { events: self.events.max(other.events), wake: self.wake.max(other.wake) }
    }

    /// Each channel of a queue on which anything was published, and whether that was denied.
    pub fn by_channel(self, queue: &Queue) -> impl Iterator<Item = (impl FnOnce() -> Bytes + '_, bool)> {
        let channel = |wake: bool| move || if wake { queue.wake_channel() } else { queue.events_channel() };
        let events = self.events.map(|denied| (channel(false), denied));
        events.into_iter().chain(self.wake.map(|denied| (channel(true), denied)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_what_was_denied_on_each_channel() {
        let all = [None, Some(false), Some(true)];
        for (code, (events, wake)) in all.iter().flat_map(|events| all.map(|wake| (*events, wake))).enumerate() {
            assert_eq!(Published::of(code as i64), Published { events, wake });
        }
        let one = Published { events: Some(true), wake: None };
        assert_eq!(one.and(Published::of(4)), Published { events: Some(true), wake: Some(false) });
    }
}
