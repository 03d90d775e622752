//! Lua: the only code that names mlua.
//!
//! What a script may rely on, and what trips those who imitate Redis: a number given to a command is written with 17
//! digits, not by `tostring`; a number answered is cut to a whole one; nothing is `false` in a script and `false` is nothing
//! in an answer; an answered array ends at its first `nil`; a global cannot be assigned; time stands still.

mod bounds;
mod chance;
mod errors;
mod memory;
mod values;

use std::collections::{HashMap, VecDeque};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cinnabar_port::Script;
use cinnabar_port::error::{Error, Kind, Result};
use mlua::{ChunkMode, Function, HookTriggers, LuaOptions, MultiValue, StdLib, Table, Value, Variadic, VmState};
use parking_lot::Mutex;

pub use self::bounds::Bounds;
use self::chance::Chance;
use self::errors::{fault, raised, refused_by_guard};
use self::memory::Memory;
use self::values::{Argument, from_lua, into_lua};
use super::answer::{Answer, Fault, Outcome};
use super::db::Db;

/// How long a script may run by default.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Instructions between two looks at the clock.
const STRIDE: u32 = 2_000;
/// Scripts that came by `EVAL` and are kept compiled; those loaded, and this crate's own, stay until `SCRIPT FLUSH`.
const PASSING: usize = 500;

/// The Lua state with the scripts it has compiled.
pub struct Lua {
    lua: mlua::Lua,
    globals: Table,
    guard: Function,
    handler: Function,
    db: Arc<Mutex<Db>>,
    watch: Arc<Watch>,
    patience: Duration,
    memory: Memory,
    /// When scripts must have ended, in place of `patience`.
    until: Option<Instant>,
    ended: Ended,
    compiled: HashMap<String, Compiled>,
    /// The oldest first, with the bytes of their sources.
    passing: VecDeque<(String, usize)>,
    shelf: Shelf,
}

/// Runs a command that a script calls: its name and arguments, and the keys that the script may touch.
pub type Commands = fn(&mut Db, &[u8], &[Bytes], Option<&mut Bounds>) -> Outcome;

/// Scripts by their SHA-1 that stay until `SCRIPT FLUSH`.
pub type Shelf = Arc<Mutex<HashMap<String, Bytes>>>;

/// How a script ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With its own result or error.
    Itself,
    /// It was stopped because it ran for too long.
    Stopped,
}

struct Compiled {
    function: Function,
    stays: bool,
}

/// State shared between hooks, handlers and the caller of a script.
struct Watch {
    until: Mutex<Instant>,
    over: AtomicBool,
    /// Its script was abandoned and must not access data any more.
    halted: AtomicBool,
    line: AtomicUsize,
    /// The keys that the running script may touch, if it is one of ours.
    bounds: Mutex<Option<Bounds>>,
    /// The state of `math.random`.
    chance: Mutex<Chance>,
}

/// Revokes the data access of an interpreter whose script does not end.
pub struct Halt(Arc<Watch>);

impl Halt {
    /// Takes effect immediately. If the caller holds the lock on the data, no command of the script is running.
    pub fn order(&self) {
        self.0.halted.store(true, Ordering::Release);
    }
}

impl Lua {
    pub fn new(db: Arc<Mutex<Db>>, max_bytes: usize, shelf: Shelf, commands: Commands) -> Result<Self> {
        let watch = Watch {
            until: Mutex::new(Instant::now()),
            over: AtomicBool::new(false),
            halted: AtomicBool::new(false),
            line: AtomicUsize::new(0),
            bounds: Mutex::default(),
            chance: Mutex::new(Chance::new(0)),
        };
        Self::build(db, max_bytes, shelf, commands, Arc::new(watch))
            .map_err(|error| Error::new(Kind::Internal, "Lua could not be started").with_source(error))
    }

    fn build(
        db: Arc<Mutex<Db>>,
        max_bytes: usize,
        shelf: Shelf,
        commands: Commands,
        watch: Arc<Watch>,
    ) -> mlua::Result<Self> {
        let lua = mlua::Lua::new_with(StdLib::STRING | StdLib::TABLE | StdLib::MATH, LuaOptions::default())?;
        let memory = Memory::limit(&lua, max_bytes)?;
        let guard = lua.globals().get("xpcall")?;
        let noticed = watch.clone();
        let handler = lua.create_function(move |lua, error: Value| {
            // A tail call leaves no line information.
            let line = line(lua).max(1);
            noticed.line.store(line, Ordering::Relaxed);
            // Errors of a guarded function are attributed to the script's line.
            match &error {
                Value::String(text) => match refused_by_guard(&text.as_bytes()) {
                    Some(text) => lua
                        .create_string([format!("user_script:{line}: ").as_bytes(), text].concat())
                        .map(Value::String),
                    None => Ok(error.clone()),
                },
                _ => Ok(error),
            }
        })?;
        let (redis, globals) = (lua.create_table()?, lua.create_table()?);
        let (space, watched) = (db.clone(), watch.clone());
        redis.set(
            "call",
            lua.create_function(move |lua, args: Variadic<Argument>| {
                let answer = invoke(&space, &watched, commands, args).map_err(raised)?;
                into_lua(lua, answer)
            })?,
        )?;
        let (space, watched) = (db.clone(), watch.clone());
        redis.set(
            "pcall",
            lua.create_function(move |lua, args: Variadic<Argument>| {
                into_lua(lua, invoke(&space, &watched, commands, args).unwrap_or_else(Answer::Error))
            })?,
        )?;
        redis.set(
            "sha1hex",
            lua.create_function(|lua, args: MultiValue| {
                let one = args.front().filter(|_| args.len() == 1);
                let one = one.ok_or_else(|| raised(Fault::new("ERR wrong number of arguments")))?;
                // Numbers are converted as Lua does; any other type counts as an empty string.
                let text = lua.coerce_string(one.clone())?.map_or_else(Vec::new, |text| text.as_bytes().to_vec());
                lua.create_string(sha1_smol::Sha1::from(&text).digest().to_string())
            })?,
        )?;
        let describe = lua.create_function(|lua, error: Value| lua.create_string(fault(&error).0.as_bytes()))?;
        lua.load(include_str!("lua/redis.lua")).set_name("@redis").call::<()>(&redis)?;
        let guards = lua.load(include_str!("lua/guard.lua")).set_name("@guard").into_function()?;
        let roll = lua.create_function({
            let watch = watch.clone();
            move |_, ()| Ok(watch.chance.lock().roll())
        })?;
        let sow = lua.create_function({
            let watch = watch.clone();
            move |_, seed: f64| {
                *watch.chance.lock() = Chance::new(seed as i32);
                Ok(())
            }
        })?;
        lua.load(include_str!("lua/caught.lua")).set_name("@guard").call::<()>((&globals, describe))?;
        lua.load(include_str!("lua/numbers.lua")).set_name("@guard").call::<()>((&globals, roll, sow))?;
        let sandbox = lua.load(include_str!("lua/sandbox.lua")).set_name("@guard");
        let sealed: Table = sandbox.call((redis, &globals, guards))?;
        lua.set_globals(sealed)?;
        look_every(&lua, &watch, STRIDE)?;
        let (compiled, passing) = (HashMap::new(), VecDeque::new());
        let (patience, until, ended) = (PATIENCE, None, Ended::Itself);
        Ok(Self { lua, globals, guard, handler, db, watch, patience, memory, until, ended, compiled, passing, shelf })
    }

    /// Sets the deadline of the following scripts.
    pub fn run_until(&mut self, deadline: Instant) {
        (self.until, self.ended) = (Some(deadline), Ended::Itself);
    }

    /// Restores the default time limit.
    pub fn run_freely(&mut self) {
        self.until = None;
    }

    /// Whether a script was stopped since `run_until`.
    pub fn ended(&self) -> Ended {
        self.ended
    }

    /// A handle that revokes this interpreter's data access.
    pub fn halt(&self) -> Halt {
        Halt(self.watch.clone())
    }

    /// Runs a script, compiled if it was not yet. The first `keys` arguments are its keys.
    pub fn run(&mut self, sha: &str, source: &[u8], args: &[Bytes], keys: usize) -> Outcome {
        if !self.compiled.contains_key(sha) {
            self.compile(sha, source, false)?;
        }
        self.run_known(sha, args, keys)
    }

    /// Runs a script of ours. Where debug assertions are on, it fails when it touches a key that was not named: there are servers
    /// that refuse it.
    pub fn run_ours(&mut self, script: &Script, many: bool, args: &[Bytes], keys: usize) -> Outcome {
        let (source, sha) = if many { script.many() } else { script.whole() };
        if !cfg!(debug_assertions) {
            return self.run(sha, source.as_bytes(), args, keys);
        }
        *self.watch.bounds.lock() = Some(Bounds::new(script, args, keys));
        let outcome = self.run(sha, source.as_bytes(), args, keys);
        let bounds = self.watch.bounds.lock().take();
        bounds.map_or(Ok(()), Bounds::kept)?;
        outcome
    }

    /// Runs a script that was compiled before.
    pub fn run_known(&mut self, sha: &str, args: &[Bytes], keys: usize) -> Outcome {
        if !self.compiled.contains_key(sha) {
            let loaded = self.shelf.lock().get(sha).cloned();
            loaded.map_or(Ok(()), |source| self.compile(sha, &source, true))?;
        }
        let missing = Fault::new("NOSCRIPT No matching script. Please use EVAL.");
        let function = self.compiled.get(sha).map(|compiled| compiled.function.clone()).ok_or(missing)?;
        let (keys, args) = args.split_at(keys.min(args.len()));
        {
            let mut db = self.db.lock();
            db.begin();
            // The script's own keys must not be evicted by the script.
            for key in keys {
                db.space.touch(key);
            }
        }
        *self.watch.until.lock() = self.until.unwrap_or_else(|| Instant::now() + self.patience);
        let outcome = self.enter(&function, keys, args);
        self.memory.tidy(&self.lua);
        if self.watch.over.swap(false, Ordering::Relaxed) {
            self.ended = Ended::Stopped;
            look_every(&self.lua, &self.watch, STRIDE).map_err(|error| Fault::text(format!("ERR {error}")))?;
        }
        outcome.unwrap_or_else(|error| Err(fault(&Value::Error(Box::new(error))))).map_err(|fault| {
            let line = self.watch.line.load(Ordering::Relaxed);
            Fault::text(format!("{} script: {sha}, on @user_script:{line}.", fault.0))
        })
    }

    /// Compiles a script and keeps it.
    pub fn load(&mut self, sha: &str, source: &[u8]) -> std::result::Result<(), Fault> {
        match self.compiled.get_mut(sha) {
            Some(compiled) => compiled.stays = true,
            None => self.compile(sha, source, true)?,
        }
        self.shelf.lock().insert(sha.to_owned(), Bytes::copy_from_slice(source));
        Ok(())
    }

    /// Whether a script is compiled.
    pub fn knows(&self, sha: &str) -> bool {
        self.compiled.contains_key(sha) || self.shelf.lock().contains_key(sha)
    }

    /// Drops all compiled scripts.
    pub fn forget(&mut self) {
        self.compiled.clear();
        self.passing.clear();
        self.shelf.lock().clear();
    }

    fn compile(&mut self, sha: &str, source: &[u8], stays: bool) -> std::result::Result<(), Fault> {
        let chunk = self.lua.load(source).set_name("@user_script").set_mode(ChunkMode::Text);
        let function = chunk.into_function().map_err(|error| {
            let fault = fault(&Value::Error(Box::new(error)));
            let text = fault.0.strip_prefix("ERR ").unwrap_or(&fault.0);
            Fault::text(format!("ERR Error compiling script (new function): {text}"))
        })?;
        self.compiled.insert(sha.to_owned(), Compiled { function, stays });
        if !stays {
            self.passing.push_back((sha.to_owned(), source.len()));
            self.forget_passing();
        }
        Ok(())
    }

    /// Drops the oldest scripts that came by `EVAL` if there are many, or if they take memory from those that run.
    fn forget_passing(&mut self) {
        let mut bytes: usize = self.passing.iter().map(|(_, bytes)| bytes).sum();
        while self.passing.len() > PASSING || (bytes > self.memory.share() && self.passing.len() > 1) {
            let Some((oldest, freed)) = self.passing.pop_front() else { return };
            bytes -= freed;
            if self.compiled.get(&oldest).is_some_and(|compiled| !compiled.stays) {
                self.compiled.remove(&oldest);
            }
        }
    }

    fn enter(&self, function: &Function, keys: &[Bytes], args: &[Bytes]) -> mlua::Result<Outcome> {
        for (name, items) in [("KEYS", keys), ("ARGV", args)] {
            let table = self.lua.create_table_with_capacity(items.len(), 0)?;
            for item in items {
                table.raw_push(self.lua.create_string(item)?)?;
            }
            self.globals.raw_set(name, table)?;
        }
        let (done, value): (bool, Value) = self.guard.call((function, &self.handler))?;
        if !done {
            return Ok(Err(fault(&value)));
        }
        from_lua(&value, 0)
    }
}

/// Installs a hook that checks the clock every `instructions` instructions. After a script has run for too long, the hook runs
/// at every instruction, so that a script that catches the error does not get far.
fn look_every(lua: &mlua::Lua, watch: &Arc<Watch>, instructions: u32) -> mlua::Result<()> {
    let watch = watch.clone();
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(instructions), move |lua, _| {
        if !watch.halted.load(Ordering::Relaxed) && Instant::now() < *watch.until.lock() {
            return Ok(VmState::Continue);
        }
        if !watch.over.swap(true, Ordering::Relaxed) {
            look_every(lua, &watch, 1)?;
        }
        Err(raised(STOPPED))
    })
}

const STOPPED: Fault = Fault::new("ERR Script stopped: it ran for too long");

/// The script's line that runs now.
fn line(lua: &mlua::Lua) -> usize {
    let at = |level| {
        lua.inspect_stack(level, |frame| {
            let ours = frame.source().source.is_some_and(|source| source == "@user_script");
            frame.current_line().filter(|_| ours)
        })
    };
    (0..).map_while(at).flatten().next().unwrap_or(0)
}

/// Runs a command for a script.
fn invoke(db: &Mutex<Db>, watch: &Watch, commands: Commands, args: Variadic<Argument>) -> Outcome {
    if args.is_empty() {
        return Err(Fault::new("ERR Please specify at least one argument for this redis lib call"));
    }
    let args: Option<Vec<Bytes>> = args.into_iter().map(|Argument(arg)| arg).collect();
    let args = args.ok_or(Fault::new("ERR Lua redis lib command arguments must be strings or integers"))?;
    let (name, args) = args.split_first().ok_or(Fault::SYNTAX)?;
    let mut bounds = watch.bounds.lock();
    let mut db = db.lock();
    // Asked under the lock: whoever gives the order holds it too.
    if watch.halted.load(Ordering::Acquire) {
        return Err(STOPPED);
    }
    commands(&mut db, name, args, bounds.as_mut())
}

#[cfg(test)]
mod tests;
