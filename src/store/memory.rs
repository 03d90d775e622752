//! The embedded engine: Redis commands and scripts, answered in memory.
//!
//! What it is for: development, tests, and processes that need no server. It runs the commands of `table.rs` and the very
//! scripts a server runs; `tests/engines.rs` compares its replies with those of a real server.
//!
//! Where it differs from a server on purpose:
//! * One database, nothing is written to disk, no blocking commands, and no `MULTI` but the one that is a `Transaction`.
//! * A command that it does not have is `E_UNSUPPORTED`: a server might have it.
//! * Memory is bounded by an estimate of what keys and values take, as with `maxmemory-policy volatile-lru`, except that a
//!   script that has begun to write goes over by no more than a quarter.
//! * A deadline is over when it is reached, not a millisecond later.
//! * Ranks of sorted sets are counted, not looked up: linear in the distance from the nearer end.

mod answer;
mod args;
mod clock;
mod db;
mod evict;
mod expiry;
mod generic;
mod glob;
mod hashes;
mod lists;
mod lua;
mod number;
mod pubsub;
mod scan;
mod scripts;
mod server;
mod set_command;
mod sets;
mod sorted_set;
mod sorted_set_ranges;
mod sorted_sets;
mod space;
mod strings;
mod table;
mod value;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use self::answer::{Answer, Fault, Outcome};
use self::db::Db;
use self::lua::Lua;
use self::table::Run;
use super::{Listener, Reply, Request, Script, Topic, Transaction, Verb};
use crate::error::{Error, Kind, Result};

pub use self::table::{changes, knows, names};

/// A store in this process's memory. Clones share it; all of it is gone with the last clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    /// Taken for a whole batch, so that nothing comes between the commands of a script.
    lua: Mutex<Lua>,
    /// Taken per command, inside the other: a script's `redis.call` comes from within Lua.
    db: Arc<Mutex<Db>>,
}

impl Engine {
    /// An empty store that holds at most about `max_bytes` of keys and values.
    pub fn new(max_bytes: usize) -> Result<Self> {
        let db = Arc::new(Mutex::new(Db::new(max_bytes)));
        let lua = Lua::new(db.clone(), max_bytes)?;
        Ok(Self { shared: Arc::new(Shared { lua: Mutex::new(lua), db }) })
    }

    /// Answers requests in order, with no I/O. Each is atomic, the whole is not.
    pub fn execute(&self, batch: &[Request]) -> Vec<Result<Reply>> {
        let mut lua = lock(&self.shared.lua);
        let answer = |request: &Request| self.answer(&mut lua, request).map_err(|error| error.hiding(request.told()));
        let replies = batch.iter().map(answer).collect();
        drop(lua);
        self.deliver();
        replies
    }

    /// Runs a script's many-item form: all keys of all items, then all their arguments.
    pub fn run_many(&self, script: &'static Script, args: &[Bytes]) -> Result<Reply> {
        let (source, sha) = script.many();
        let items = args.len() / (script.keys + script.args).max(1);
        let outcome = lock(&self.shared.lua).run(sha, source.as_bytes(), args, items * script.keys);
        self.deliver();
        reply(outcome)
    }

    /// Delivers what is published to `topic` from now on; answers what `unsubscribe` takes.
    pub fn subscribe(&self, topic: Topic, listener: Listener) -> u64 {
        lock(&self.shared.db).hub.subscribe(topic, listener)
    }

    /// Stops delivery to one listener.
    pub fn unsubscribe(&self, id: u64) {
        // Dropped with no lock held: what it holds may call the engine.
        let gone = lock(&self.shared.db).hub.unsubscribe(id);
        drop(gone);
    }

    /// Moves the engine's clock forward.
    pub fn advance(&self, by: Duration) {
        lock(&self.shared.db).clock.advance(by);
    }

    /// About how many bytes keys and values take.
    pub fn used_bytes(&self) -> usize {
        lock(&self.shared.db).space.used()
    }

    /// Frees some of what has expired. Reads never see it anyway; this gives its memory back.
    pub fn sweep(&self) {
        let mut db = lock(&self.shared.db);
        db.begin();
        db.space.sweep(evict::SWEEP);
    }

    fn answer(&self, lua: &mut Lua, request: &Request) -> Result<Reply> {
        match &request.verb {
            Verb::Transaction(whole) => self.run_all(lua, whole),
            Verb::Apart(_) | Verb::Custom(_) | Verb::Command(_) if table::find(request.name()).is_none() => {
                let message = format!("the embedded engine has no command {}", table::shown(request.name()));
                Err(Error::new(Kind::Unsupported, message))
            }
            _ => reply(self.run(lua, request)).and_then(Reply::whole),
        }
    }

    /// Commands with nothing in between; as on a server, none is done when one of them cannot be taken.
    fn run_all(&self, lua: &mut Lua, whole: &Transaction) -> Result<Reply> {
        for request in &whole.requests {
            match table::find(request.name()) {
                Some(spec) => spec.check(&request.args).map_err(Fault::into_error)?,
                None => return self.answer(lua, request),
            }
        }
        let answers = whole.requests.iter().map(|request| match self.run(lua, request).and_then(Answer::into_reply) {
            Ok(reply) => reply,
            Err(Fault(words)) => Reply::Refused(Bytes::from(words.into_owned())),
        });
        Ok(Reply::Array(answers.collect()))
    }

    fn run(&self, lua: &mut Lua, request: &Request) -> Outcome {
        let name = match &request.verb {
            Verb::Script(script) | Verb::Many(script) => {
                let keys = request.touched().into_iter().flatten().count();
                let (source, sha) = if matches!(request.verb, Verb::Many(_)) { script.many() } else { script.whole() };
                return lua.run(sha, source.as_bytes(), &request.args, keys);
            }
            Verb::Command(name) => name,
            Verb::Custom(_) | Verb::Apart(_) | Verb::Transaction(_) => request.name(),
        };
        let spec = table::find(name).ok_or_else(|| table::unknown(name, &request.args))?;
        spec.check(&request.args)?;
        match spec.run {
            Run::Script(run) => run(lua, &request.args),
            Run::Command(run) => {
                let mut db = lock(&self.shared.db);
                db.begin();
                db.make_room(spec, &request.args)?;
                run(&mut db, &request.args)
            }
        }
    }

    /// Hands published messages over, in the order of publishing, with no lock held: a listener may call the engine.
    fn deliver(&self) {
        let Some(mut next) = lock(&self.shared.db).hub.start_delivery() else { return };
        loop {
            for listener in next.listeners {
                let message = next.message.clone();
                // One that panics must not end delivery to all others for good.
                let _ = catch_unwind(AssertUnwindSafe(|| listener(super::Heard::Message(message))));
            }
            match lock(&self.shared.db).hub.next_delivery() {
                Some(delivery) => next = delivery,
                None => return,
            }
        }
    }
}

fn reply(outcome: Outcome) -> Result<Reply> {
    outcome.and_then(Answer::into_reply).map_err(Fault::into_error)
}

/// A panic leaves at worst one command half done, and every command leaves the data readable: going on is right.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
