//! The embedded engine: Redis commands and scripts, executed in memory.
//!
//! What it is for: development, tests, and processes that need no server. It runs the commands of `table.rs` and the very
//! scripts a server runs; `crates/core/tests/engines.rs` compares its replies with those of a real server.
//!
//! Where it differs from a server on purpose:
//! * One database, no persistence, no blocking commands, and `MULTI` only as a `Transaction`.
//! * An unknown command is `E_UNSUPPORTED`: a server might have it.
//! * The estimated memory of keys and values is limited, as with `maxmemory-policy volatile-lru`, except that a script that has
//!   started to write may exceed the limit by at most a quarter.
//! * A key expires exactly when its time is reached, not a millisecond later.
//! * Ranks of sorted sets are counted, not looked up: linear in the distance from the nearer end.

#![forbid(unsafe_code)]

mod answer;
mod args;
mod clock;
mod db;
mod evict;
mod expiry;
mod generic;
mod glob;
mod hash;
mod hashes;
mod hub;
mod line;
mod list;
mod lists;
mod lua;
mod number;
mod pubsub;
mod scan;
mod scripts;
mod server;
mod set;
mod set_command;
mod sets;
mod size;
mod sorted_set;
mod sorted_set_ranges;
mod sorted_sets;
mod space;
mod spec;
mod strings;
mod table;
mod value;

use std::panic::{AssertUnwindSafe, catch_unwind};

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cinnabar_port::error::{Error, Kind, Result};
use parking_lot::Mutex;

use self::answer::{Answer, Fault, Outcome};
use self::db::Db;
use self::line::{Begun, Line};
use self::lua::{Lua, PATIENCE, Shelf};
use self::spec::{Run, Spec};
use cinnabar_port::{MessageListener, Reply, Request, Script, Topic, Transaction, Verb};

pub use self::table::{changes, knows, names};

/// A store in this process's memory. Clones share it; all of it is gone with the last clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    /// Locked for a whole batch, so that nothing comes between the commands of a script.
    line: Mutex<Line>,
    /// Locked per command, inside the other lock: a script's `redis.call` comes from within Lua.
    db: Arc<Mutex<Db>>,
    /// Scripts stored by `SCRIPT LOAD`, which outlive the interpreter.
    shelf: Shelf,
    max_bytes: usize,
}

impl Engine {
    /// An empty store that holds at most about `max_bytes` of keys and values.
    pub fn new(max_bytes: usize) -> Result<Self> {
        let db = Arc::new(Mutex::new(Db::new(max_bytes)));
        let shelf = Shelf::default();
        let line = Mutex::new(Line::new(Lua::new(db.clone(), max_bytes, shelf.clone(), table::run_for_script)?));
        Ok(Self { shared: Arc::new(Shared { line, db, shelf, max_bytes }) })
    }

    /// Runs requests in order, without I/O. Each is atomic, the batch is not. Completes immediately unless a caller's own
    /// script is among the requests or queued ahead of them.
    pub async fn answer(&self, batch: Vec<Request>, deadline: Instant) -> Vec<Result<Reply>> {
        let count = batch.len();
        match self.begin(batch, deadline) {
            Begun::Done(replies) => replies,
            Begun::Later(replies) => replies.await.unwrap_or_else(|_| nobody(count)),
        }
    }

    /// The same, for threads that may block until a script has ended.
    pub fn execute(&self, batch: &[Request]) -> Vec<Result<Reply>> {
        match self.begin(batch.to_vec(), Instant::now() + PATIENCE) {
            Begun::Done(replies) => replies,
            Begun::Later(replies) => replies.blocking_recv().unwrap_or_else(|_| nobody(batch.len())),
        }
    }

    fn begin(&self, batch: Vec<Request>, deadline: Instant) -> Begun {
        let begun = self.shared.begin(batch, deadline);
        if matches!(begun, Begun::Done(_)) {
            self.shared.deliver();
        }
        begun
    }

    /// Runs a script's many-item form: all keys of all items, then all their arguments.
    pub fn run_many(&self, script: &'static Script, args: &[Bytes]) -> Result<Reply> {
        let keys =
            if script.same_keys { script.keys } else { args.len() / (script.keys + script.args).max(1) * script.keys };
        let (source, sha) = script.many();
        let mut line = self.shared.line.lock();
        let lua = line.free().ok_or_else(|| Error::new(Kind::Unavailable, "a script is running"))?;
        let outcome = lua.run(sha, source.as_bytes(), args, keys);
        drop(line);
        self.shared.deliver();
        reply(outcome)
    }

    /// Delivers messages published to `topic` from now on; returns the id for `unsubscribe`.
    pub fn subscribe(&self, topic: Topic, listener: MessageListener) -> u64 {
        self.shared.db.lock().hub.subscribe(topic, listener)
    }

    /// Stops delivery to one listener.
    pub fn unsubscribe(&self, id: u64) {
        // Dropped without holding a lock, because its destructor may call the engine.
        let gone = self.shared.db.lock().hub.unsubscribe(id);
        drop(gone);
    }

    /// Moves the engine's clock forward.
    pub fn advance(&self, by: Duration) {
        self.shared.db.lock().clock.advance(by);
    }

    /// About how many bytes keys and values take.
    pub fn used_bytes(&self) -> usize {
        self.shared.db.lock().space.used()
    }

    /// Frees some expired keys. Reads never return them; this reclaims their memory.
    pub fn sweep(&self) {
        // Time stands still while a script runs.
        let mut line = self.shared.line.lock();
        if line.free().is_some() {
            let mut db = self.shared.db.lock();
            db.begin();
            db.space.sweep(evict::SWEEP);
        }
    }
}

impl Shared {
    /// Runs a request, unless it contains a caller's own script.
    fn answer_ours(&self, lua: &mut Lua, request: &Request) -> Option<Result<Reply>> {
        if let Verb::Transaction(whole) = &request.verb {
            return (!whole.requests.iter().any(is_theirs)).then(|| self.answer(lua, request));
        }
        self.choose(lua, request, false)
    }

    /// Runs any request.
    fn answer(&self, lua: &mut Lua, request: &Request) -> Result<Reply> {
        let reply = match &request.verb {
            Verb::Transaction(whole) => self.answer_all(lua, whole),
            _ => self.choose(lua, request, true).unwrap_or_else(|| Err(unanswered())),
        };
        reply.map_err(|error| error.redacting(request.caller_data()))
    }

    /// Runs a transaction. As on a server, nothing is executed if one of its commands is invalid.
    fn answer_all(&self, lua: &mut Lua, whole: &Transaction) -> Result<Reply> {
        for request in &whole.requests {
            match table::find(request.name()) {
                Some(spec) => spec.check(&request.args).map_err(Fault::into_error)?,
                None => return Err(unknown(request)),
            }
        }
        let answers = whole.requests.iter().map(|request| {
            let outcome = table::find(request.name()).and_then(|spec| self.run(lua, spec, &request.args, true));
            match outcome.unwrap_or(Err(Fault::SYNTAX)).and_then(Answer::into_reply) {
                Ok(reply) => reply,
                Err(Fault(words)) => Reply::Error(Bytes::from(words.into_owned())),
            }
        });
        Ok(Reply::Array(answers.collect()))
    }

    fn choose(&self, lua: &mut Lua, request: &Request, theirs: bool) -> Option<Result<Reply>> {
        let outcome = match &request.verb {
            Verb::Script(script) | Verb::Many(script) => {
                let keys = request.touched().into_iter().flatten().count();
                lua.run_ours(script, matches!(request.verb, Verb::Many(_)), &request.args, keys)
            }
            _ => {
                let Some(spec) = table::find(request.name()) else { return Some(Err(unknown(request))) };
                match spec.check(&request.args) {
                    Ok(()) => self.run(lua, spec, &request.args, theirs)?,
                    Err(fault) => Err(fault),
                }
            }
        };
        Some(reply(outcome).and_then(Reply::into_result))
    }

    /// Runs a command; `None` for a script command unless `theirs` is set.
    fn run(&self, lua: &mut Lua, spec: &Spec, args: &[Bytes], theirs: bool) -> Option<Outcome> {
        match spec.run {
            Run::Script(run) => theirs.then(|| run(lua, args)),
            Run::Command(run) => {
                let mut db = self.db.lock();
                db.begin();
                Some(spec.make_room(&mut db, args).and_then(|()| run(&mut db, args)))
            }
        }
    }

    /// Delivers published messages in order, without holding a lock, because a listener may call the engine.
    fn deliver(&self) {
        let Some(mut next) = self.db.lock().hub.start_delivery() else { return };
        loop {
            for listener in next.listeners {
                let message = next.message.clone();
                // A panic in one listener must not stop delivery to the others.
                let _ = catch_unwind(AssertUnwindSafe(|| listener(cinnabar_port::Delivery::Message(message))));
            }
            match self.db.lock().hub.next_delivery() {
                Some(delivery) => next = delivery,
                None => return,
            }
        }
    }
}

/// Whether a request contains a caller's own script.
fn is_theirs(request: &Request) -> bool {
    match &request.verb {
        Verb::Script(_) | Verb::Many(_) => false,
        Verb::Transaction(whole) => whole.requests.iter().any(is_theirs),
        _ => table::find(request.name()).is_some_and(|spec| matches!(spec.run, Run::Script(_))),
    }
}

fn unknown(request: &Request) -> Error {
    let message = format!("the embedded store does not support the command {}", shown(request.name()));
    Error::new(Kind::Unsupported, message)
}

fn unanswered() -> Error {
    Error::new(Kind::Internal, "the embedded store returned no reply to a request")
}

fn nobody(count: usize) -> Vec<Result<Reply>> {
    (0..count).map(|_| Err(Error::new(Kind::Internal, "the thread of the embedded store has ended"))).collect()
}

fn reply(outcome: Outcome) -> Result<Reply> {
    outcome.and_then(Answer::into_reply).map_err(Fault::into_error)
}

/// A command name for error messages, shortened, because a caller's name may be anything.
fn shown(name: &str) -> String {
    name.chars().take(128).collect()
}

#[cfg(test)]
mod tests;
