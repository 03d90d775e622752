//! Listening to a room: the messages sent after a number, then those sent from now on, in order and each once, with
//! gaps reported.
//!
//! A message received live is a hint with a number. If the numbers are not consecutive, or if messages may have been
//! lost, the history is read; what it no longer has is a gap.

mod sequencer;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use cinnabar_port::{Topology, error::Result};
use parking_lot::Mutex;

use self::sequencer::{Next, Sequencer};
use super::{
    channel_buffer::{ChannelBuffer, Consumer, Item, Lookup, SingleFlight, deadline_in},
    inbox_consumer::{InboxConsumer, continue_after_read, continue_when_drained},
};
use crate::{
    features::room::{self, History, Rooms},
    inbox::{Entry, Inbox, Label, Pushed},
    store::Store,
};

/// The most bytes that one read of the history returns.
const READ_BYTES: usize = 1 << 20;
/// The servers of a cluster forward messages to each other and do not report failures, so the history is read this
/// often.
const REFRESH: Duration = Duration::from_secs(30);

/// A listener of a room. It ends when it is dropped.
pub struct RoomListener {
    buffer: Arc<ChannelBuffer>,
    rooms: Arc<Rooms>,
    room: String,
    inbox: Arc<Inbox>,
    patience: Duration,
    state: Mutex<State>,
}

struct State {
    /// The position of the next item in the buffer.
    position: u64,
    sequencer: Sequencer,
    /// Whether it waits for the history or for space in the inbox.
    waiting: bool,
}

/// Histories that are being read, shared by the listeners of this process.
static HISTORIES: std::sync::LazyLock<SingleFlight<(usize, u64), History>> =
    std::sync::LazyLock::new(SingleFlight::new);

impl RoomListener {
    /// Delivers to the inbox the messages sent after `since`, and those sent from now on. The inbox must reject what
    /// exceeds its bounds: it is pushed again later. Without `since`, only the latter; since 0, the whole stored
    /// history.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for a room without a name; those of the subscription or of reading the history.
    pub async fn start(
        store: &Arc<Store>,
        rooms: Arc<Rooms>,
        room: String,
        since: Option<u64>,
        inbox: Arc<Inbox>,
        patience: Duration,
    ) -> Result<Arc<Self>> {
        let buffer = ChannelBuffer::of(store, rooms.live_channel(&room)?);
        let refresh = (store.status().topology == Topology::Cluster).then_some(REFRESH);
        buffer.open(refresh).await?;
        // From here on every message is received; those sent before are in the history.
        let state = State { position: buffer.end(), sequencer: Sequencer::new(since), waiting: false };
        let this = Arc::new(Self { buffer, rooms, room, inbox, patience, state: Mutex::new(state) });
        let next = this.state.lock().sequencer.next();
        if let Next::History(since) = next {
            let history = this.read(since).await?;
            this.learn(history);
        }
        let consumer: Weak<dyn Consumer> = Arc::downgrade(&(this.clone() as Arc<dyn Consumer>));
        this.buffer.add_consumer(consumer);
        this.clone().advance();
        Ok(this)
    }

    /// Reads the messages sent after a number, now or by a read of another listener in flight.
    async fn read(&self, since: u64) -> Result<History> {
        let (position, now) = (self.state.lock().position, self.buffer.end());
        let read = || async {
            let call = self.rooms.history(&self.room, since, READ_BYTES)?;
            self.buffer.store().call(call, deadline_in(self.patience)).await
        };
        HISTORIES.get((Arc::as_ptr(&self.buffer) as usize, since), position, now, read).await
    }

    fn learn(&self, history: History) {
        let mut state = self.state.lock();
        let State { sequencer, position, .. } = &mut *state;
        let next =
            self.buffer.find(*position, |text| room::number(text).filter(|number| sequencer.is_missing(*number)));
        sequencer.learn(history, self.buffer.end(), next);
    }
}

impl InboxConsumer for RoomListener {
    fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    fn stop_waiting(&self) {
        self.state.lock().waiting = false;
    }
}

impl Consumer for RoomListener {
    fn advance(self: Arc<Self>) {
        let mut seen = None;
        let mut state = self.state.lock();
        while !state.waiting {
            match state.sequencer.next() {
                Next::Message(number, text) => {
                    match self.inbox.push(Entry { text: text.clone(), label: Label::Number(number) }) {
                        Pushed::Queued => {
                            seen = Some(number);
                            state.sequencer.delivered();
                        }
                        Pushed::Ended => break,
                        Pushed::Full => {
                            state.waiting = true;
                            continue_when_drained(&self);
                        }
                    }
                }
                Next::Gap(missed) => {
                    self.inbox.push_gap(missed);
                    state.sequencer.delivered();
                }
                Next::History(since) => {
                    state.waiting = true;
                    let read = move |this: Arc<Self>| async move { this.read(since).await };
                    continue_after_read(&self, read, Self::learn);
                }
                Next::Live => match self.buffer.at(state.position) {
                    Lookup::NotYet => break,
                    Lookup::Dropped(first) => {
                        state.position = first;
                        state.sequencer.lost();
                    }
                    Lookup::Item(Item::Gap) => {
                        state.position += 1;
                        state.sequencer.lost();
                    }
                    Lookup::Item(Item::Message(text)) => {
                        let position = state.position;
                        // Other programs may publish on the channel; their messages are ignored.
                        let taken =
                            room::number(&text).is_none_or(|number| state.sequencer.receive(position, number, text));
                        state.position += u64::from(taken);
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
