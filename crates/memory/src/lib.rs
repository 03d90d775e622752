//! The embedded engine: Redis commands and scripts, executed in memory.
//!
//! It is for development, tests, and processes that need no server. It executes the commands of `table.rs` and the same scripts
//! as a server; `crates/core/tests/engines.rs` compares its replies with those of a real server.
//!
//! Intended differences from a server:
//! * One database, no persistence, no blocking commands, and `MULTI` only as a `Transaction`.
//! * An unknown command is `E_UNSUPPORTED`: a server might have it.
//! * The estimated memory of keys and values is limited, as with `maxmemory-policy volatile-lru`, except that a script that has
//!   started to write may exceed the limit by at most a quarter.
//! * A key expires exactly when its time is reached, not a millisecond later.
//! * Ranks of sorted sets are counted: linear in the distance from the nearer end.

#![forbid(unsafe_code)]

mod args;
mod clock;
mod command;
mod database;
mod eviction;
mod expiry;
mod generic;
mod glob;
mod hash;
mod hashes;
mod key_watch;
mod keyspace;
mod list;
mod lists;
mod lua;
mod number;
mod pubsub;
mod resp_value;
mod scan;
mod script_queue;
mod scripts;
mod server;
mod set;
mod set_command;
mod sets;
mod size;
mod sorted_set;
mod sorted_set_ranges;
mod sorted_sets;
mod strings;
mod subscriptions;
mod table;
mod value;

use std::panic::{AssertUnwindSafe, catch_unwind};

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cinnabar_port::error::{Error, Kind, Result};
use parking_lot::Mutex;

use self::command::{Command, Handler};
use self::database::Database;
use self::key_watch::KeyListeners;
pub use self::key_watch::KeyWatch;
use self::lua::{DEFAULT_TIME_LIMIT, LoadedScripts, Lua};
use self::resp_value::{CommandError, CommandResult, RespValue};
use self::script_queue::{Execution, ScriptQueue};
use cinnabar_port::{KeyListener, MessageListener, Reply, Request, Script, Topic, Transaction, Verb};

pub use self::table::{flags, names, supports};

/// A store in the memory of this process. Clones share it; its data is dropped with the last clone.
#[derive(Clone)]
pub struct Engine {
    state: Arc<EngineState>,
}

struct EngineState {
    /// Locked for a whole batch, so that nothing is executed between the commands of a script.
    queue: Mutex<ScriptQueue>,
    /// Locked per command, while the other lock is held: a script's `redis.call` comes from within Lua.
    db: Arc<Mutex<Database>>,
    /// Scripts stored by `SCRIPT LOAD`, which outlive the interpreter.
    loaded_scripts: LoadedScripts,
    max_bytes: usize,
    key_listeners: KeyListeners,
}

impl Engine {
    /// Creates an empty store for at most about `max_bytes` of keys and values.
    pub fn new(max_bytes: usize) -> Result<Self> {
        let db = Arc::new(Mutex::new(Database::new(max_bytes)));
        let loaded_scripts = LoadedScripts::default();
        let queue = Mutex::new(ScriptQueue::new(Lua::new(
            db.clone(),
            max_bytes,
            loaded_scripts.clone(),
            table::run_for_script,
        )?));
        let key_listeners = KeyListeners::default();
        Ok(Self { state: Arc::new(EngineState { queue, db, loaded_scripts, max_bytes, key_listeners }) })
    }

    /// Executes requests in order, without I/O. Each is atomic, the batch is not. Completes immediately unless a caller's script is
    /// among the requests or queued ahead of them.
    pub async fn execute(&self, batch: Vec<Request>, deadline: Instant) -> Vec<Result<Reply>> {
        let count = batch.len();
        match self.begin(batch, deadline) {
            Execution::Done(replies) => replies,
            Execution::Pending(replies) => replies.await.unwrap_or_else(|_| thread_ended(count)),
        }
    }

    /// Executes requests on a thread that may block until a script has ended.
    pub fn execute_blocking(&self, batch: &[Request]) -> Vec<Result<Reply>> {
        match self.begin(batch.to_vec(), Instant::now() + DEFAULT_TIME_LIMIT) {
            Execution::Done(replies) => replies,
            Execution::Pending(replies) => replies.blocking_recv().unwrap_or_else(|_| thread_ended(batch.len())),
        }
    }

    fn begin(&self, batch: Vec<Request>, deadline: Instant) -> Execution {
        let execution = self.state.begin(batch, deadline);
        if matches!(execution, Execution::Done(_)) {
            self.state.deliver();
        }
        execution
    }

    /// Runs a script for many items: first the keys of all items, then their arguments.
    pub fn run_many(&self, script: &'static Script, args: &[Bytes]) -> Result<Reply> {
        let keys =
            if script.same_keys { script.keys } else { args.len() / (script.keys + script.args).max(1) * script.keys };
        let (source, sha) = script.many();
        let mut queue = self.state.queue.lock();
        let lua = queue.free().ok_or_else(|| Error::new(Kind::Unavailable, "a script is running"))?;
        let outcome = lua.run(sha, source.as_bytes(), args, keys);
        drop(queue);
        self.state.deliver();
        reply(outcome)
    }

    /// Calls `listener` with messages published to `topic` from now on; returns the id for `unsubscribe`.
    pub fn subscribe(&self, topic: Topic, listener: MessageListener) -> u64 {
        self.state.db.lock().subscriptions.subscribe(topic, listener)
    }

    /// Stops delivery to one listener.
    pub fn unsubscribe(&self, id: u64) {
        // Dropped without holding a lock, because its destructor may call the engine.
        let listener = self.state.db.lock().subscriptions.unsubscribe(id);
        drop(listener);
    }

    /// Calls `listener` with every change of a key with this prefix, before the caller that made it gets the reply, until the result is
    /// dropped.
    pub fn watch_keys(&self, prefix: Bytes, listener: KeyListener) -> KeyWatch {
        self.state.watch(prefix, listener, Arc::downgrade(&self.state))
    }

    /// Moves the engine's clock forward.
    pub fn advance(&self, by: Duration) {
        self.state.db.lock().clock.advance(by);
        self.state.report_all_changed();
    }

    /// Lets only `advance` move the engine's clock from now on, so that a test is right however long it takes.
    pub fn stop_clock(&self) {
        self.state.db.lock().clock.stop();
    }

    /// Returns the estimated size of keys and values in bytes.
    pub fn used_bytes(&self) -> usize {
        self.state.db.lock().keyspace.used()
    }

    /// Removes some expired keys. Reads never return them; this frees their memory.
    pub fn sweep(&self) {
        // The time must not change while a script runs.
        let mut queue = self.state.queue.lock();
        if queue.free().is_some() {
            let mut db = self.state.db.lock();
            db.begin();
            db.keyspace.sweep(eviction::SWEEP);
        }
        drop(queue);
        self.state.report_changes();
    }
}

impl EngineState {
    /// Executes a request; `None` if it contains a caller's script.
    fn execute_without_scripts(&self, lua: &mut Lua, request: &Request) -> Option<Result<Reply>> {
        if let Verb::Transaction(transaction) = &request.verb {
            return (!transaction.requests.iter().any(has_caller_script)).then(|| self.execute(lua, request));
        }
        self.dispatch(lua, request, false)
    }

    /// Executes any request.
    fn execute(&self, lua: &mut Lua, request: &Request) -> Result<Reply> {
        let reply = match &request.verb {
            Verb::Transaction(transaction) => self.execute_transaction(lua, transaction),
            _ => self.dispatch(lua, request, true).unwrap_or_else(|| Err(no_reply())),
        };
        reply.map_err(|error| error.redacting(request.caller_data()))
    }

    /// Executes a transaction. As on a server, nothing is executed if one of its commands is invalid.
    fn execute_transaction(&self, lua: &mut Lua, transaction: &Transaction) -> Result<Reply> {
        if let Some(request) = &transaction.followed_by {
            return Err(unknown(request));
        }
        for request in &transaction.requests {
            match table::find(request.name()) {
                Some(command) => command.check_arity(&request.args).map_err(CommandError::into_error)?,
                None => return Err(unknown(request)),
            }
        }
        let replies = transaction.requests.iter().map(|request| {
            let outcome = table::find(request.name()).and_then(|command| self.run(lua, command, &request.args, true));
            match outcome.unwrap_or(Err(CommandError::SYNTAX)).and_then(RespValue::into_reply) {
                Ok(reply) => reply,
                Err(CommandError(text)) => Reply::Error(Bytes::from(text.into_owned())),
            }
        });
        Ok(Reply::Array(replies.collect()))
    }

    fn dispatch(&self, lua: &mut Lua, request: &Request, allow_scripts: bool) -> Option<Result<Reply>> {
        let outcome = match &request.verb {
            Verb::Script(script) | Verb::Many(script) => {
                let keys = request.touched().into_iter().flatten().count();
                lua.run_builtin(script, matches!(request.verb, Verb::Many(_)), &request.args, keys)
            }
            _ => {
                let Some(command) = table::find(request.name()) else { return Some(Err(unknown(request))) };
                match command.check_arity(&request.args) {
                    Ok(()) => self.run(lua, command, &request.args, allow_scripts)?,
                    Err(error) => Err(error),
                }
            }
        };
        Some(reply(outcome).and_then(Reply::into_result))
    }

    /// Executes a command; `None` for a script command unless `allow_scripts` is set.
    fn run(&self, lua: &mut Lua, command: &Command, args: &[Bytes], allow_scripts: bool) -> Option<CommandResult> {
        match command.handler {
            Handler::Script(run) => allow_scripts.then(|| run(lua, args)),
            Handler::Data(run) => {
                let mut db = self.db.lock();
                db.begin();
                Some(command.make_room(&mut db, args).and_then(|()| run(&mut db, args)))
            }
        }
    }

    /// Reports the keys that have changed, and delivers published messages in order, without holding a lock, because a listener may call the engine.
    fn deliver(&self) {
        self.report_changes();
        let Some(mut next) = self.db.lock().subscriptions.start_delivery() else { return };
        loop {
            for listener in next.listeners {
                let message = next.message.clone();
                // A panic in one listener must not stop delivery to the others.
                let _ = catch_unwind(AssertUnwindSafe(|| listener(cinnabar_port::Delivery::Message(message))));
            }
            match self.db.lock().subscriptions.next_delivery() {
                Some(delivery) => next = delivery,
                None => return,
            }
        }
    }
}

/// Whether a request contains a caller's script, as opposed to a built-in one.
fn has_caller_script(request: &Request) -> bool {
    match &request.verb {
        Verb::Script(_) | Verb::Many(_) => false,
        Verb::Transaction(transaction) => transaction.requests.iter().any(has_caller_script),
        _ => table::find(request.name()).is_some_and(|command| matches!(command.handler, Handler::Script(_))),
    }
}

fn unknown(request: &Request) -> Error {
    let message = format!("the embedded store does not support the command {}", shortened(request.name()));
    Error::new(Kind::Unsupported, message)
}

fn no_reply() -> Error {
    Error::new(Kind::Internal, "the embedded store returned no reply to a request")
}

fn thread_ended(count: usize) -> Vec<Result<Reply>> {
    (0..count).map(|_| Err(Error::new(Kind::Internal, "the thread of the embedded store has ended"))).collect()
}

fn reply(outcome: CommandResult) -> Result<Reply> {
    outcome.and_then(RespValue::into_reply).map_err(CommandError::into_error)
}

/// Shortens a command's name for error messages, because a caller may pass any text.
fn shortened(name: &str) -> String {
    name.chars().take(128).collect()
}

#[cfg(test)]
mod tests;
