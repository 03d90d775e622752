//! RoomWatcher who is in a room: all who are there, then who comes and goes, and all again where something may have been missed.

use std::{
    sync::{Arc, LazyLock, Weak},
    time::Duration,
};

use bytes::Bytes;
use cinnabar_port::error::Result;
use parking_lot::Mutex;

use super::{
    channel_buffer::{ChannelBuffer, Consumer, Item, Lookup, SingleFlight, retry_while_unavailable, spawn, within},
    presence::SweepGuard,
};
use crate::{
    features::room::{Rooms, changes},
    inbox::{Entry, Inbox, Label, Pushed},
    store::Store,
};

/// A room ends without a word when its time has come, and a cluster's servers do not tell what they could not pass on.
const LOOK: Duration = Duration::from_secs(30);
/// What goes with all users together.
const ALL: &[u8] = b"users";

/// Somebody who watches a room. It ends when it is dropped.
pub struct RoomWatcher {
    feed: Arc<ChannelBuffer>,
    rooms: Arc<Rooms>,
    room: String,
    inbox: Arc<Inbox>,
    patience: Duration,
    state: Mutex<State>,
    /// Dead ones are swept meanwhile.
    _lookout: SweepGuard,
}

struct State {
    /// The place in the feed of what comes next, and how many of its changes have been delivered.
    place: u64,
    part: usize,
    /// All users, to be delivered first.
    all: Option<Bytes>,
    /// Something may be missing: all users have to be read.
    lost: bool,
    /// Something is awaited: an answer, or room in the inbox.
    waits: bool,
}

/// All there is to deliver of a room in which nobody can be.
pub fn empty_room() -> Entry {
    Entry { text: Bytes::from_static(b"{}"), label: Label::Name(Bytes::from_static(ALL)) }
}

/// Users that several watchers of this process share.
static USERS: LazyLock<SingleFlight<usize, Bytes>> = LazyLock::new(SingleFlight::new);

impl RoomWatcher {
    /// Delivers into the inbox, which must refuse what is too much: first an object of all users under the name `users`, then
    /// pairs of a user and what is known under `join`, `update` and `leave`. What was known before an object may come behind
    /// it once more. After a gap there is an object again.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a room without a name; what became of the subscription or of reading the users.
    pub async fn start(
        store: &Arc<Store>,
        rooms: Arc<Rooms>,
        room: String,
        inbox: Arc<Inbox>,
        lookout: SweepGuard,
        patience: Duration,
    ) -> Result<Arc<Self>> {
        let feed = ChannelBuffer::of(store, rooms.changes_channel(&room)?);
        feed.open(Some(LOOK)).await?;
        let state = State { place: feed.end(), part: 0, all: None, lost: false, waits: true };
        let this = Arc::new(Self { feed, rooms, room, inbox, patience, state: Mutex::new(state), _lookout: lookout });
        let (users, place) = this.read().await?;
        this.learn(users, place);
        let follower: Weak<dyn Consumer> = Arc::downgrade(&(this.clone() as Arc<dyn Consumer>));
        this.feed.follow(follower);
        this.clone().advance();
        Ok(this)
    }

    /// Who is there, and the place in the feed from which on changes may not be in it.
    async fn read(&self) -> Result<(Bytes, u64)> {
        let (place, now) = (self.state.lock().place, self.feed.end());
        let read = || async {
            let call = self.rooms.users(&self.room)?;
            self.feed.store().call(call, within(self.patience)).await
        };
        // Somebody else may have asked a moment earlier, but not before what this one has heard.
        let users = USERS.get(Arc::as_ptr(&self.feed) as usize, place, now, read).await?;
        Ok((users, place))
    }

    fn learn(&self, users: Bytes, place: u64) {
        let mut state = self.state.lock();
        *state = State { place, part: 0, all: Some(users), lost: false, waits: false };
    }

    fn read_again(self: &Arc<Self>) {
        let this = Arc::downgrade(self);
        spawn(async move {
            let ask = || async {
                let this = this.upgrade().filter(|this| !this.inbox.is_ended())?;
                Some(this.read().await)
            };
            let Some(users) = retry_while_unavailable(ask).await else { return };
            let Some(this) = this.upgrade() else { return };
            match users {
                Ok((users, place)) => {
                    this.learn(users, place);
                    this.advance();
                }
                Err(error) => this.inbox.end(Some(error)),
            }
        });
    }

    /// Goes on when everything has been taken out of the inbox.
    fn wait_for_room(self: &Arc<Self>) {
        let (this, inbox) = (Arc::downgrade(self), self.inbox.clone());
        spawn(async move {
            inbox.drained().await;
            if let Some(this) = this.upgrade() {
                this.state.lock().waits = false;
                this.advance();
            }
        });
    }

    /// Whether it was taken.
    fn offer(self: &Arc<Self>, state: &mut State, name: Bytes, text: Bytes) -> bool {
        match self.inbox.push(Entry { text, label: Label::Name(name) }) {
            Pushed::Queued => return true,
            Pushed::Full => self.wait_for_room(),
            Pushed::Ended => {}
        }
        state.waits = true;
        false
    }

    /// Tells the changes of one message, from the part on that was not told yet.
    fn tell(self: &Arc<Self>, state: &mut State, payload: &Bytes) {
        let told = changes(payload).unwrap_or_default();
        for change in told.iter().skip(state.part) {
            let (name, text) = (Bytes::from_static(change.what.name().as_bytes()), change.to_json());
            if text.is_ok_and(|text| !self.offer(state, name, text)) {
                return;
            }
            state.part += 1;
        }
        (state.place, state.part) = (state.place + 1, 0);
    }
}

impl Consumer for RoomWatcher {
    fn advance(self: Arc<Self>) {
        let mut state = self.state.lock();
        while !state.waits {
            if let Some(users) = state.all.clone() {
                if self.offer(&mut state, Bytes::from_static(ALL), users) {
                    state.all = None;
                }
                continue;
            }
            if state.lost {
                state.waits = true;
                self.read_again();
                continue;
            }
            match self.feed.at(state.place) {
                Lookup::Nothing => return,
                // All that is heard by now is in what will be read.
                Lookup::Gone(_) | Lookup::Item(Item::Lost) => {
                    (state.place, state.part, state.lost) = (self.feed.end(), 0, true);
                }
                Lookup::Item(Item::Message(payload)) => self.tell(&mut state, &payload),
            }
        }
    }
}
