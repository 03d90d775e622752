//! Listeners and watchers of rooms: agents that fill an inbox for a JavaScript reader.

use std::{any::Any, future::Future, sync::Arc};

use cinnabar_core::{
    agents::{
        room_listener::RoomListener,
        room_watcher::{RoomWatcher, empty_room},
    },
    inbox::{Bounds, Inbox, Overflow},
    keys,
};
use cinnabar_port::error::Result;
use napi::Env;
use tokio::time::Instant;

use super::Rooms;
use crate::js::{
    node_api::{Js, RawValue, Value},
    open_store::OpenStore,
    service_core::{Ending, Opening, Reader, Resource},
};

/// The bounds of one reader's inbox. Messages beyond them remain in the buffer that all listeners of the room share, and in the store.
const BOUNDS: Bounds = Bounds { messages: 1000, bytes: 1 << 20, overflow: Overflow::Reject };

/// An agent, which runs until it is dropped; `None` for an invalid room id from untrusted input, to which nothing is ever sent.
type Agent = Option<Arc<dyn Any + Send + Sync>>;

struct Listener {
    agent: Agent,
    inbox: Arc<Inbox>,
}

impl Resource for Listener {
    fn end(self: Box<Self>, _: Option<Instant>) -> Ending {
        drop(self.agent);
        None
    }

    fn is_over(&self) -> bool {
        self.inbox.is_ended()
    }
}

/// Delivers the messages of a room.
pub fn listen(rooms: &Rooms, env: &Env, room: Value, since: Value, reader: Value) -> RawValue {
    let js = Js(env.raw());
    let prepared = js.lookup_text(room, "roomId", keys::is_id).and_then(|room| {
        let since = if js.is_nothing(since) { None } else { Some(js.whole(since, "options.since")?) };
        Ok((room, since))
    });
    let (of, timeout) = (rooms.rooms.clone(), rooms.core.settings().timeout);
    open(rooms, js, "LISTEN", reader, prepared, move |open_store, (room, since), inbox| {
        let store = open_store.store().clone();
        async move {
            let Some(room) = room else { return Ok(None) };
            Ok(Some(RoomListener::start(&store, of, room, since, inbox, timeout).await? as _))
        }
    })
}

/// Delivers the users of a room and their changes.
pub fn watch(rooms: &Rooms, env: &Env, room: Value, reader: Value) -> RawValue {
    let js = Js(env.raw());
    let prepared = js.lookup_text(room, "roomId", keys::is_id);
    let (of, timeout) = (rooms.rooms.clone(), rooms.core.settings().timeout);
    open(rooms, js, "WATCH", reader, prepared, move |open_store, room, inbox| {
        let (store, presence) = (open_store.store().clone(), rooms.presence(open_store));
        async move {
            let Some(room) = room else {
                inbox.push(empty_room());
                return Ok(None);
            };
            Ok(Some(RoomWatcher::start(&store, of, room, inbox, presence.watch(), timeout).await? as _))
        }
    })
}

/// Starts an agent that fills the inbox of `reader`.
fn open<T, F>(
    rooms: &Rooms,
    js: Js,
    name: &'static str,
    reader: Value,
    prepared: Result<T>,
    start: impl FnOnce(&Arc<OpenStore>, T, Arc<Inbox>) -> F,
) -> RawValue
where
    F: Future<Output = Result<Agent>> + Send + 'static,
{
    let prepared = prepared.and_then(|what| Ok((what, Reader::new(js, reader, BOUNDS, false)?)));
    let opening = Opening { name, late: "no subscription within the time that was given" };
    rooms.core.open(js, opening, prepared, |(what, reader), open_store, number| {
        let inbox = rooms.core.add_reader(js, number, reader);
        let starting = start(open_store, what, inbox.clone());
        async move { Ok(Listener { agent: starting.await?, inbox }) }
    })
}
