//! Listeners and watchers of rooms: agents that fill an inbox, and whose reader is JavaScript.

use std::{
    any::Any,
    collections::HashMap,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
};

use cinnabar_core::{
    agents::{
        listen::Listening,
        watch::{Watching, nobody},
    },
    answer::Answer,
    inbox::{Bounds, Inbox, Overflow},
    keys,
    store::Store,
};
use cinnabar_port::{
    error::{Error, Kind, Result},
    runtime,
};
use napi::{Env, sys::ValueType};
use tokio::time::sleep;

use super::Rooms;
use crate::js::{
    completions::Completion,
    errors::closed,
    node_api::{Js, RawValue, Value},
    opened::Opened,
    operation::Operation,
};

/// What may wait for one reader. What is too much waits once for all of the process, and in the store.
const BOUNDS: Bounds = Bounds { messages: 1000, bytes: 1 << 20, overflow: Overflow::Refuse };

/// An agent that works until it is dropped.
type Agent = Arc<dyn Any + Send + Sync>;

/// A service's agents by the numbers of their readers.
#[derive(Default)]
pub struct Following(Mutex<HashMap<u64, Agent>>);

impl Following {
    /// Ends one.
    pub fn end(&self, id: u64) {
        // Dropped with no lock held: it may be the last that holds a subscription.
        let agent = self.lock().remove(&id);
        drop(agent);
    }

    /// The readers' numbers.
    pub fn ids(&self) -> Vec<u64> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Agent>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Delivers what is sent to a room.
pub fn listen(rooms: &Rooms, env: &Env, room: Value, since: Value, reader: Value) -> RawValue {
    let js = Js(env.raw());
    let prepared = js.sought(room, "roomId", keys::is_id).and_then(|room| {
        let since = if js.is_nothing(since) { None } else { Some(js.whole(since, "options.since")?) };
        Ok((room, since))
    });
    let (of, patience) = (rooms.rooms.clone(), rooms.core.settings().timeout);
    follow(rooms, js, "LISTEN", reader, prepared, move |store, (room, since), inbox| async move {
        let Some(room) = room else { return Ok(nothing_comes()) };
        Ok(Listening::start(&store, of, room, since, inbox, patience).await? as Agent)
    })
}

/// Delivers who is in a room.
pub fn watch(rooms: &Rooms, env: &Env, room: Value, reader: Value) -> RawValue {
    let js = Js(env.raw());
    let prepared = js.sought(room, "roomId", keys::is_id).and_then(|room| {
        let opened = rooms.core.opened(js)?;
        Ok((room, rooms.presence(&opened)))
    });
    let (of, patience) = (rooms.rooms.clone(), rooms.core.settings().timeout);
    follow(rooms, js, "WATCH", reader, prepared, move |store, (room, presence), inbox| async move {
        let Some(room) = room else {
            inbox.offer(nobody());
            return Ok(nothing_comes());
        };
        Ok(Watching::start(&store, of, room, inbox, presence.watch(), patience).await? as Agent)
    })
}

/// Starts an agent; the promise's number is its reader's, which takes what it delivers and ends it.
fn follow<T, F>(
    rooms: &Rooms,
    js: Js,
    name: &'static str,
    reader: Value,
    prepared: Result<T>,
    start: impl FnOnce(Arc<Store>, T, Arc<Inbox>) -> F,
) -> RawValue
where
    F: Future<Output = Result<Agent>> + Send + 'static,
{
    let (core, bridge) = (&rooms.core, rooms.core.environment());
    let prepared = prepared.and_then(|what| {
        if js.kind(reader) != ValueType::napi_function {
            return Err(js.refuse(reader, "reader", "a function"));
        }
        Ok((what, core.opened(js)?, runtime::get()?))
    });
    let (what, opened, runtime) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return RawValue(bridge.rejected(js, &error)),
    };
    let (promise, ticket) = bridge.promise(js, Operation { name, empty: None });
    let Some(ticket) = ticket else { return RawValue(promise) };
    let (id, inbox) = bridge.keep_reader(js, reader, BOUNDS, false);
    let (completions, following) = (bridge.completions.clone(), core.following().clone());
    let starting = start(opened.store().clone(), what, inbox);
    let within = core.timeout();
    let under_way = Opened::begin(opened);
    runtime.spawn(async move {
        let mut starting = pin!(starting);
        let (started, pending) = tokio::select! {
            started = &mut starting => (started, false),
            () = under_way.closing() => (Err(closed()), true),
            () = sleep(within) => (Err(late()), true),
        };
        let answer = started.and_then(|agent| {
            following.lock().insert(id, agent);
            // Whoever closes says so first and ends what it finds then: one of the two sees the other.
            if under_way.is_closing() {
                following.end(id);
                return Err(closed());
            }
            Ok(Answer::Number(id as f64))
        });
        if answer.is_err() {
            completions.push(Completion::DropReader(id));
        }
        completions.push(Completion::Calls(vec![(answer, ticket)]));
        drop(under_way);
        if pending {
            // Its caller was told no; a subscription that comes of it after all is not left behind.
            drop(starting.await);
        }
    });
    RawValue(promise)
}

/// The agent of a room that cannot be one, so that nothing is ever sent to it: for ids that may be untrusted input.
fn nothing_comes() -> Agent {
    Arc::new(())
}

fn late() -> Error {
    Error::new(Kind::Timeout, "no subscription within the time that was given")
}
