//! Members of rooms: connections that a service has put there, and that leave with it.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cinnabar_core::{
    agents::presence::{Member, Presence},
    answer::Answer,
};
use cinnabar_port::{
    error::{Error, Kind},
    runtime,
};
use napi::Env;
use tokio::time::{Instant, sleep, timeout};

use super::Rooms;
use crate::js::{
    completions::Completion,
    errors::closed,
    node_api::{Js, RawValue, Value},
    opened::Opened,
    operation::Operation,
    time::iso_now,
};

/// Numbers of members, never used twice in a process.
static NEXT: AtomicU64 = AtomicU64::new(1);
/// How long those may take to leave whose environment has ended.
const PARTING: Duration = Duration::from_secs(5);

/// A service's members.
#[derive(Default)]
pub struct Members(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// The number that JavaScript knows → who that is, and where.
    members: HashMap<u64, (Arc<Presence>, Member)>,
    /// Where members are or have been, or were asked for.
    presences: Vec<Arc<Presence>>,
}

impl Members {
    /// All of them leave, until the deadline. A lease that is left to nobody is given up, and with it the store.
    pub fn leave_all(&self, opened: &Arc<Opened>, deadline: Instant) {
        for (presence, members) in self.take_all() {
            depart(presence, members, opened, deadline);
        }
    }

    fn add(&self, presence: &Arc<Presence>, member: Member) -> u64 {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        self.lock().members.insert(id, (presence.clone(), member));
        id
    }

    fn take(&self, id: u64) -> Option<(Arc<Presence>, Member)> {
        self.lock().members.remove(&id)
    }

    /// Keeps a presence for as long as the service is open.
    pub fn keep(&self, presence: &Arc<Presence>) {
        let mut known = self.lock();
        if !known.presences.iter().any(|other| Arc::ptr_eq(other, presence)) {
            known.presences.push(presence.clone());
        }
    }

    fn take_all(&self) -> Vec<(Arc<Presence>, Vec<Member>)> {
        let Known { members, presences } = std::mem::take(&mut *self.lock());
        let mut all: Vec<_> = presences.into_iter().map(|presence| (presence, Vec::new())).collect();
        for (presence, member) in members.into_values() {
            match all.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &presence)) {
                Some((_, members)) => members.push(member),
                None => all.push((presence, vec![member])),
            }
        }
        all
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Members {
    /// Nobody is left who could have them leave.
    fn drop(&mut self) {
        let Ok(runtime) = runtime::get() else { return };
        for (presence, members) in self.take_all() {
            runtime.spawn(async move { presence.leave_all(members, Instant::now() + PARTING).await });
        }
    }
}

/// Puts a connection of a user in a room; the promise's number has it leave.
pub fn join(rooms: &Rooms, env: &Env, room: Value, user: Value, info: Value) -> RawValue {
    let js = Js(env.raw());
    let (core, bridge) = (&rooms.core, rooms.core.environment());
    let prepared = js.text(room, "roomId").and_then(|room| {
        let (user, info) = (js.text(user, "userId")?, bridge.stringify(js, info, "info")?);
        Ok((room, user, info, core.opened(js)?, runtime::get()?))
    });
    let (room, user, info, opened, runtime) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return RawValue(bridge.rejected(js, &error)),
    };
    let (promise, ticket) = bridge.promise(js, Operation { name: "JOIN", empty: None });
    let Some(ticket) = ticket else { return RawValue(promise) };
    let presence = rooms.presence(&opened);
    core.members().keep(&presence);
    let (completions, members) = (bridge.completions.clone(), core.members().clone());
    let (at, within) = (iso_now(), core.timeout());
    let under_way = Opened::begin(opened);
    runtime.spawn(async move {
        let mut joining = pin!(presence.join(&room, &user, &info, &at));
        let (joined, pending) = tokio::select! {
            joined = &mut joining => (joined, false),
            () = under_way.cut() => (Err(closed()), true),
            () = sleep(within) => (Err(late()), true),
        };
        let answer = joined.and_then(|member| {
            let id = members.add(&presence, member);
            // Whoever closes says so first and has those leave that it finds then: one of the two sees the other. By now the
            // service may be open again, with members that stay.
            if under_way.is_closing() {
                if let Some((presence, member)) = members.take(id) {
                    depart(presence, vec![member], under_way.opened(), Instant::now() + within);
                }
                return Err(closed());
            }
            Ok(Answer::Number(id as f64))
        });
        completions.push(Completion::Calls(vec![(answer, ticket)]));
        drop(under_way);
        if pending && let Ok(member) = joining.await {
            // Its caller was told no.
            presence.leave(member).await;
        }
    });
    RawValue(promise)
}

/// Has a member leave. It never rejects: what cannot be told now is told as soon as may be.
pub fn leave(rooms: &Rooms, env: &Env, id: u64) -> RawValue {
    let js = Js(env.raw());
    let bridge = rooms.core.environment();
    let left = rooms.core.members().take(id);
    let (Some((presence, member)), Ok(runtime)) = (left, runtime::get()) else { return RawValue(bridge.resolved(js)) };
    let (promise, ticket) = bridge.promise(js, Operation { name: "LEAVE", empty: None });
    let Some(ticket) = ticket else { return RawValue(promise) };
    let (completions, within) = (bridge.completions.clone(), rooms.core.timeout());
    runtime.spawn(async move {
        let _ = timeout(within, presence.leave(member)).await;
        completions.push(Completion::Calls(vec![(Ok(Answer::Undefined), ticket)]));
    });
    RawValue(promise)
}

/// Has members leave, which is under way on `opened` until the deadline.
fn depart(presence: Arc<Presence>, members: Vec<Member>, opened: &Arc<Opened>, deadline: Instant) {
    let Ok(runtime) = runtime::get() else { return };
    let under_way = Opened::begin(opened.clone());
    runtime.spawn(async move {
        tokio::select! {
            () = presence.leave_all(members, deadline) => {}
            () = under_way.cut() => {}
        }
    });
}

fn late() -> Error {
    Error::new(Kind::Timeout, "no seat in the room within the time that was given; it is given back if it comes later")
}
