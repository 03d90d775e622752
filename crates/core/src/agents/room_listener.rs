//! RoomListener to a room: what was sent after a number, then what is sent, in order and each once, or told as missing.
//!
//! What is heard live is a hint with a number on it. Where the numbers do not follow each other, and wherever something may
//! have been lost, the history says what is missing; what it does not have any more is a gap.

mod sequencer;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use cinnabar_port::{Topology, error::Result};
use parking_lot::Mutex;

use self::sequencer::{Next, Sequencer};
use super::channel_buffer::{
    ChannelBuffer, Consumer, Item, Lookup, SingleFlight, retry_while_unavailable, spawn, within,
};
use crate::{
    features::room::{self, History, Rooms},
    inbox::{Entry, Inbox, Label, Pushed},
    store::Store,
};

/// What is read of the history at a time.
const READ_BYTES: usize = 1 << 20;
/// The servers of a cluster pass messages on to each other and do not tell when they could not: so often it is looked for.
const LOOK: Duration = Duration::from_secs(30);

/// Somebody who listens to a room. It ends when it is dropped.
pub struct RoomListener {
    feed: Arc<ChannelBuffer>,
    rooms: Arc<Rooms>,
    room: String,
    inbox: Arc<Inbox>,
    patience: Duration,
    state: Mutex<State>,
}

struct State {
    /// The place in the feed of what comes next.
    place: u64,
    order: Sequencer,
    /// Something is awaited: an answer, or room in the inbox.
    waits: bool,
}

/// Histories that several listeners of this process share.
static HISTORIES: std::sync::LazyLock<SingleFlight<(usize, u64), History>> =
    std::sync::LazyLock::new(SingleFlight::new);

impl RoomListener {
    /// Delivers into the inbox what was sent after `since`, and what is sent from now on. The inbox must refuse what is too
    /// much: it is offered again. Without `since`, only the latter; since 0, all that is kept.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a room without a name; what became of the subscription or of reading the history.
    pub async fn start(
        store: &Arc<Store>,
        rooms: Arc<Rooms>,
        room: String,
        since: Option<u64>,
        inbox: Arc<Inbox>,
        patience: Duration,
    ) -> Result<Arc<Self>> {
        let feed = ChannelBuffer::of(store, rooms.live_channel(&room)?);
        let look = (store.status().topology == Topology::Cluster).then_some(LOOK);
        feed.open(look).await?;
        // From here on all is heard; what was sent before is in the history.
        let state = State { place: feed.end(), order: Sequencer::new(since), waits: true };
        let this = Arc::new(Self { feed, rooms, room, inbox, patience, state: Mutex::new(state) });
        let next = this.state.lock().order.next();
        if let Next::History(since) = next {
            let history = this.read(since).await?;
            this.learn(history);
        }
        let follower: Weak<dyn Consumer> = Arc::downgrade(&(this.clone() as Arc<dyn Consumer>));
        this.feed.follow(follower);
        this.clone().advance();
        Ok(this)
    }

    /// What was sent after a number, as it is now or was when somebody asked who listens as well.
    async fn read(&self, since: u64) -> Result<History> {
        let (place, now) = (self.state.lock().place, self.feed.end());
        let read = || async {
            let call = self.rooms.history(&self.room, since, READ_BYTES)?;
            self.feed.store().call(call, within(self.patience)).await
        };
        HISTORIES.get((Arc::as_ptr(&self.feed) as usize, since), place, now, read).await
    }

    /// Asks for the history, and goes on when it is there.
    fn catch_up(self: &Arc<Self>, since: u64) {
        let this = Arc::downgrade(self);
        spawn(async move {
            let ask = || async {
                let this = this.upgrade().filter(|this| !this.inbox.is_ended())?;
                Some(this.read(since).await)
            };
            let Some(history) = retry_while_unavailable(ask).await else { return };
            let Some(this) = this.upgrade() else { return };
            match history {
                Ok(history) => {
                    this.learn(history);
                    this.advance();
                }
                Err(error) => this.inbox.end(Some(error)),
            }
        });
    }

    fn learn(&self, history: History) {
        let mut state = self.state.lock();
        let State { order, place, waits } = &mut *state;
        let next = self.feed.find(*place, |text| room::number(text).filter(|number| order.lacks(*number)));
        order.learn(history, self.feed.end(), next);
        *waits = false;
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
}

impl Consumer for RoomListener {
    fn advance(self: Arc<Self>) {
        let mut seen = None;
        let mut state = self.state.lock();
        while !state.waits {
            match state.order.next() {
                Next::Message(number, text) => {
                    match self.inbox.push(Entry { text: text.clone(), label: Label::Number(number) }) {
                        Pushed::Queued => {
                            seen = Some(number);
                            state.order.delivered();
                        }
                        Pushed::Ended => break,
                        Pushed::Full => {
                            state.waits = true;
                            self.wait_for_room();
                        }
                    }
                }
                Next::Gap(missed) => {
                    self.inbox.push_gap(missed);
                    state.order.delivered();
                }
                Next::History(since) => {
                    state.waits = true;
                    self.catch_up(since);
                }
                Next::Live => match self.feed.at(state.place) {
                    Lookup::Nothing => break,
                    Lookup::Gone(first) => {
                        state.place = first;
                        state.order.lost();
                    }
                    Lookup::Item(Item::Lost) => {
                        state.place += 1;
                        state.order.lost();
                    }
                    Lookup::Item(Item::Message(text)) => {
                        let place = state.place;
                        // What somebody else publishes on the channel is none of ours.
                        let taken = room::number(&text).is_none_or(|number| state.order.hear(place, number, text));
                        state.place += u64::from(taken);
                    }
                },
            }
        }
        drop(state);
        if let Some(number) = seen {
            let _ = self.rooms.record_number(&self.room, number);
        }
    }
}
