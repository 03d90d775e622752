//! Watching who is in a room: all users, then those that join and leave, and all users again if changes may have been
//! missed.

use std::{
    sync::{Arc, LazyLock, Weak},
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::error::Result;
use parking_lot::Mutex;

use super::{
    channel_buffer::{ChannelBuffer, Consumer, Item, Lookup, SingleFlight, deadline_in},
    inbox_consumer::{InboxConsumer, continue_after_read, continue_when_drained},
    presence::SweepGuard,
};
use crate::{
    features::room::{Rooms, changes},
    inbox::{Entry, Inbox, Label, Pushed},
    store::Store,
};

/// A room expires without a message, and the servers of a cluster do not report messages that they could not forward.
const REFRESH: Duration = Duration::from_secs(30);
/// The name under which all users are delivered.
const ALL: &[u8] = b"users";

/// A watcher of a room. It ends when it is dropped.
pub struct RoomWatcher {
    buffer: Arc<ChannelBuffer>,
    rooms: Arc<Rooms>,
    room: String,
    inbox: Arc<Inbox>,
    patience: Duration,
    state: Mutex<State>,
    /// Has dead processes swept meanwhile.
    _sweep: SweepGuard,
}

struct State {
    /// The position of the next message in the buffer, and how many of its changes have been delivered.
    position: u64,
    part: usize,
    /// All users, to be delivered first.
    all: Option<Bytes>,
    /// Changes may have been missed: all users have to be read.
    lost: bool,
    /// Whether it waits for the users or for space in the inbox.
    waiting: bool,
}

/// What is delivered for a room that cannot have users.
pub fn empty_room() -> Entry {
    Entry { text: Bytes::from_static(b"{}"), label: Label::Name(Bytes::from_static(ALL)) }
}

/// Reads of users in flight, shared by the watchers of this process.
static USERS: LazyLock<SingleFlight<usize, Bytes>> = LazyLock::new(SingleFlight::new);

impl RoomWatcher {
    /// Delivers to the inbox, which must reject what exceeds its bounds: first an object of all users under the name
    /// `users`, then pairs of a user and what is known under `join`, `update` and `leave`. Changes that are part of
    /// the object may follow it once more. After a gap the object is delivered again.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a room without a name; those of the subscription or of reading the users.
    pub async fn start(
        store: &Arc<Store>,
        rooms: Arc<Rooms>,
        room: String,
        inbox: Arc<Inbox>,
        sweep: SweepGuard,
        patience: Duration,
    ) -> Result<Arc<Self>> {
        let buffer = ChannelBuffer::of(store, rooms.changes_channel(&room)?);
        buffer.open(Some(REFRESH)).await?;
        let state = State { position: buffer.end(), part: 0, all: None, lost: false, waiting: false };
        let this = Arc::new(Self { buffer, rooms, room, inbox, patience, state: Mutex::new(state), _sweep: sweep });
        let (users, position) = this.read().await?;
        this.learn(users, position);
        let consumer: Weak<dyn Consumer> = Arc::downgrade(&(this.clone() as Arc<dyn Consumer>));
        this.buffer.add_consumer(consumer);
        this.clone().advance();
        Ok(this)
    }

    /// Reads the users, with the position in the buffer from which on changes may not be included.
    async fn read(&self) -> Result<(Bytes, u64)> {
        let (position, now) = (self.state.lock().position, self.buffer.end());
        let read = || async {
            let call = self.rooms.users(&self.room)?;
            self.buffer.store().call(call, deadline_in(self.patience)).await
        };
        // A read in flight is shared, but not one made before the changes that this watcher has received.
        let users = USERS.get(Arc::as_ptr(&self.buffer) as usize, position, now, read).await?;
        Ok((users, position))
    }

    fn learn(&self, users: Bytes, position: u64) {
        let mut state = self.state.lock();
        (state.position, state.part, state.all, state.lost) = (position, 0, Some(users), false);
    }

    /// Pushes into the inbox; returns whether that was possible.
    fn offer(self: &Arc<Self>, state: &mut State, name: Bytes, text: Bytes) -> bool {
        match self.inbox.push(Entry { text, label: Label::Name(name) }) {
            Pushed::Queued => return true,
            Pushed::Full => continue_when_drained(self),
            Pushed::Ended => {}
        }
        state.waiting = true;
        false
    }

    /// Delivers the changes of one message, from the first that was not delivered yet.
    fn deliver_changes(self: &Arc<Self>, state: &mut State, payload: &Bytes) {
        let all = changes(payload).unwrap_or_default();
        for change in all.iter().skip(state.part) {
            let (name, text) = (Bytes::from_static(change.what.name().as_bytes()), change.to_json());
            if text.is_ok_and(|text| !self.offer(state, name, text)) {
                return;
            }
            state.part += 1;
        }
        (state.position, state.part) = (state.position + 1, 0);
    }
}

impl InboxConsumer for RoomWatcher {
    fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    fn stop_waiting(&self) {
        self.state.lock().waiting = false;
    }
}

impl Consumer for RoomWatcher {
    fn advance(self: Arc<Self>) {
        let mut state = self.state.lock();
        while !state.waiting {
            if let Some(users) = state.all.clone() {
                if self.offer(&mut state, Bytes::from_static(ALL), users) {
                    state.all = None;
                }
                continue;
            }
            if state.lost {
                state.waiting = true;
                let read = |this: Arc<Self>| async move { this.read().await };
                continue_after_read(&self, read, |this, (users, position)| this.learn(users, position));
                continue;
            }
            match self.buffer.at(state.position) {
                Lookup::NotYet => return,
                // The users to be read include everything received by now.
                Lookup::Dropped(_) | Lookup::Item(Item::Gap) => {
                    (state.position, state.part, state.lost) = (self.buffer.end(), 0, true);
                }
                Lookup::Item(Item::Message(payload)) => self.deliver_changes(&mut state, &payload),
            }
        }
    }
}
