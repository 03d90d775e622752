//! The Lua interpreter: the only code that names mlua.
//!
//! Details on which scripts for Redis rely: a number passed to a command is written with 17 digits, not by `tostring`; a returned
//! number is truncated to an integer; a null reply is `false` in a script, and a returned `false` is a null reply; a returned array
//! ends at its first `nil`; globals cannot be assigned; the time does not change during a run.

mod declared_keys;
mod errors;
mod memory;
mod prng;
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

pub use self::declared_keys::DeclaredKeys;
use self::errors::{from_lua_error, to_lua_error, without_guard_position};
use self::memory::Memory;
use self::prng::Prng;
use self::values::{Argument, from_lua, into_lua};
use super::database::Database;
use super::resp_value::{CommandError, CommandResult, RespValue};

/// How long a script may run by default.
pub const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(5);
/// The number of instructions between two checks of the clock.
const HOOK_INTERVAL: u32 = 2_000;
/// The most compiled scripts that are retained of those run by `EVAL`. Loaded ones are retained until `SCRIPT FLUSH`.
const MAX_EVICTABLE: usize = 500;

/// The Lua state with the scripts it has compiled.
pub struct Lua {
    lua: mlua::Lua,
    globals: Table,
    xpcall: Function,
    handler: Function,
    db: Arc<Mutex<Database>>,
    run_state: Arc<RunState>,
    time_limit: Duration,
    memory: Memory,
    /// The deadline of scripts, in place of `time_limit`.
    deadline: Option<Instant>,
    ended: Ended,
    compiled: HashMap<String, Compiled>,
    /// Scripts run by `EVAL`, the oldest first, with the sizes of their sources in bytes.
    evictable: VecDeque<(String, usize)>,
    loaded: LoadedScripts,
}

/// Executes a command that a script calls: its name, its arguments, and the keys that the script declared.
pub type Commands = fn(&mut Database, &[u8], &[Bytes], Option<&mut DeclaredKeys>) -> CommandResult;

/// Scripts by their SHA-1, retained until `SCRIPT FLUSH`.
pub type LoadedScripts = Arc<Mutex<HashMap<String, Bytes>>>;

/// How a script ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With its own result or error.
    Normally,
    /// It was stopped because it ran for too long.
    Stopped,
}

struct Compiled {
    function: Function,
    pinned: bool,
}

/// State shared between hooks, handlers and the caller of a script.
struct RunState {
    deadline: Mutex<Instant>,
    timed_out: AtomicBool,
    /// Whether its script was abandoned and must not access data any more.
    revoked: AtomicBool,
    /// The line of the last error.
    line: AtomicUsize,
    /// The declared keys of the running script, if it is a built-in one.
    declared_keys: Mutex<Option<DeclaredKeys>>,
    /// The state of `math.random`.
    prng: Mutex<Prng>,
}

/// Revokes the data access of an interpreter whose script does not end.
pub struct AccessRevoker(Arc<RunState>);

impl AccessRevoker {
    /// Takes effect immediately. If the caller holds the lock on the data, no command of the script is running.
    pub fn revoke(&self) {
        self.0.revoked.store(true, Ordering::Release);
    }
}

impl Lua {
    pub fn new(db: Arc<Mutex<Database>>, max_bytes: usize, loaded: LoadedScripts, commands: Commands) -> Result<Self> {
        let run_state = RunState {
            deadline: Mutex::new(Instant::now()),
            timed_out: AtomicBool::new(false),
            revoked: AtomicBool::new(false),
            line: AtomicUsize::new(0),
            declared_keys: Mutex::default(),
            prng: Mutex::new(Prng::new(0)),
        };
        Self::build(db, max_bytes, loaded, commands, Arc::new(run_state))
            .map_err(|error| Error::new(Kind::Internal, "Lua could not be started").with_source(error))
    }

    fn build(
        db: Arc<Mutex<Database>>,
        max_bytes: usize,
        loaded: LoadedScripts,
        commands: Commands,
        run_state: Arc<RunState>,
    ) -> mlua::Result<Self> {
        let lua = mlua::Lua::new_with(StdLib::STRING | StdLib::TABLE | StdLib::MATH, LuaOptions::default())?;
        let memory = Memory::limit(&lua, max_bytes)?;
        let xpcall = lua.globals().get("xpcall")?;
        let state = run_state.clone();
        let handler = lua.create_function(move |lua, error: Value| {
            // A tail call leaves no line information.
            let line = line(lua).max(1);
            state.line.store(line, Ordering::Relaxed);
            // Errors of a guarded function are attributed to the script's line.
            match &error {
                Value::String(text) => match without_guard_position(&text.as_bytes()) {
                    Some(text) => lua
                        .create_string([format!("user_script:{line}: ").as_bytes(), text].concat())
                        .map(Value::String),
                    None => Ok(error.clone()),
                },
                _ => Ok(error),
            }
        })?;
        let (redis, globals) = (lua.create_table()?, lua.create_table()?);
        let (database, state) = (db.clone(), run_state.clone());
        redis.set(
            "call",
            lua.create_function(move |lua, args: Variadic<Argument>| {
                let reply = invoke(&database, &state, commands, args).map_err(to_lua_error)?;
                into_lua(lua, reply)
            })?,
        )?;
        let (database, state) = (db.clone(), run_state.clone());
        redis.set(
            "pcall",
            lua.create_function(move |lua, args: Variadic<Argument>| {
                into_lua(lua, invoke(&database, &state, commands, args).unwrap_or_else(RespValue::Error))
            })?,
        )?;
        redis.set(
            "sha1hex",
            lua.create_function(|lua, args: MultiValue| {
                let one = args.front().filter(|_| args.len() == 1);
                let one = one.ok_or_else(|| to_lua_error(CommandError::new("ERR wrong number of arguments")))?;
                // Numbers are converted as Lua does; any other type counts as an empty string.
                let text = lua.coerce_string(one.clone())?.map_or_else(Vec::new, |text| text.as_bytes().to_vec());
                lua.create_string(sha1_smol::Sha1::from(&text).digest().to_string())
            })?,
        )?;
        let describe =
            lua.create_function(|lua, error: Value| lua.create_string(from_lua_error(&error).0.as_bytes()))?;
        lua.load(include_str!("lua/redis.lua")).set_name("@redis").call::<()>(&redis)?;
        let guards = lua.load(include_str!("lua/argument_checks.lua")).set_name("@guard").into_function()?;
        let next_random = lua.create_function({
            let run_state = run_state.clone();
            move |_, ()| Ok(run_state.prng.lock().next_float())
        })?;
        let seed_random = lua.create_function({
            let run_state = run_state.clone();
            move |_, seed: f64| {
                *run_state.prng.lock() = Prng::new(seed as i32);
                Ok(())
            }
        })?;
        lua.load(include_str!("lua/error_handling.lua")).set_name("@guard").call::<()>((&globals, describe))?;
        lua.load(include_str!("lua/int_arguments.lua")).set_name("@guard").call::<()>((
            &globals,
            next_random,
            seed_random,
        ))?;
        let sandbox = lua.load(include_str!("lua/sandbox.lua")).set_name("@guard");
        let sealed: Table = sandbox.call((redis, &globals, guards))?;
        lua.set_globals(sealed)?;
        install_hook(&lua, &run_state, HOOK_INTERVAL)?;
        Ok(Self {
            lua,
            globals,
            xpcall,
            handler,
            db,
            run_state,
            time_limit: DEFAULT_TIME_LIMIT,
            memory,
            deadline: None,
            ended: Ended::Normally,
            compiled: HashMap::new(),
            evictable: VecDeque::new(),
            loaded,
        })
    }

    /// Sets the deadline of the following scripts.
    pub fn set_deadline(&mut self, deadline: Instant) {
        (self.deadline, self.ended) = (Some(deadline), Ended::Normally);
    }

    /// Restores the default time limit.
    pub fn clear_deadline(&mut self) {
        self.deadline = None;
    }

    /// Whether a script was stopped since `set_deadline`.
    pub fn ended(&self) -> Ended {
        self.ended
    }

    /// Returns a handle that revokes this interpreter's access to the data.
    pub fn access_revoker(&self) -> AccessRevoker {
        AccessRevoker(self.run_state.clone())
    }

    /// Runs a script, which is compiled first if necessary. The first `keys` arguments are its keys.
    pub fn run(&mut self, sha: &str, source: &[u8], args: &[Bytes], keys: usize) -> CommandResult {
        if !self.compiled.contains_key(sha) {
            self.compile(sha, source, false)?;
        }
        self.run_loaded(sha, args, keys)
    }

    /// Runs a built-in script. With debug assertions, it fails if it accesses an undeclared key, which some servers reject.
    pub fn run_builtin(&mut self, script: &Script, many: bool, args: &[Bytes], keys: usize) -> CommandResult {
        let (source, sha) = if many { script.many() } else { script.whole() };
        if !cfg!(debug_assertions) {
            return self.run(sha, source.as_bytes(), args, keys);
        }
        *self.run_state.declared_keys.lock() = Some(DeclaredKeys::new(script, args, keys));
        let outcome = self.run(sha, source.as_bytes(), args, keys);
        let declared_keys = self.run_state.declared_keys.lock().take();
        declared_keys.map_or(Ok(()), DeclaredKeys::verify)?;
        outcome
    }

    /// Runs a script that was compiled or loaded before.
    pub fn run_loaded(&mut self, sha: &str, args: &[Bytes], keys: usize) -> CommandResult {
        if !self.compiled.contains_key(sha) {
            let loaded = self.loaded.lock().get(sha).cloned();
            loaded.map_or(Ok(()), |source| self.compile(sha, &source, true))?;
        }
        let missing = CommandError::new("NOSCRIPT No matching script. Please use EVAL.");
        let function = self.compiled.get(sha).map(|compiled| compiled.function.clone()).ok_or(missing)?;
        let (keys, args) = args.split_at(keys.min(args.len()));
        {
            let mut db = self.db.lock();
            db.begin();
            // The script's own keys must not be evicted by the script.
            for key in keys {
                db.keyspace.touch(key);
            }
        }
        *self.run_state.deadline.lock() = self.deadline.unwrap_or_else(|| Instant::now() + self.time_limit);
        let outcome = self.call(&function, keys, args);
        self.memory.collect_if_needed(&self.lua);
        if self.run_state.timed_out.swap(false, Ordering::Relaxed) {
            self.ended = Ended::Stopped;
            install_hook(&self.lua, &self.run_state, HOOK_INTERVAL)
                .map_err(|error| CommandError::text(format!("ERR {error}")))?;
        }
        outcome.unwrap_or_else(|error| Err(from_lua_error(&Value::Error(Box::new(error))))).map_err(|error| {
            let line = self.run_state.line.load(Ordering::Relaxed);
            CommandError::text(format!("{} script: {sha}, on @user_script:{line}.", error.0))
        })
    }

    /// Compiles a script and retains it until `flush`.
    pub fn load(&mut self, sha: &str, source: &[u8]) -> std::result::Result<(), CommandError> {
        match self.compiled.get_mut(sha) {
            Some(compiled) => compiled.pinned = true,
            None => self.compile(sha, source, true)?,
        }
        self.loaded.lock().insert(sha.to_owned(), Bytes::copy_from_slice(source));
        Ok(())
    }

    /// Whether a script is compiled or loaded.
    pub fn contains(&self, sha: &str) -> bool {
        self.compiled.contains_key(sha) || self.loaded.lock().contains_key(sha)
    }

    /// Drops all compiled and loaded scripts.
    pub fn flush(&mut self) {
        self.compiled.clear();
        self.evictable.clear();
        self.loaded.lock().clear();
    }

    fn compile(&mut self, sha: &str, source: &[u8], pinned: bool) -> std::result::Result<(), CommandError> {
        let chunk = self.lua.load(source).set_name("@user_script").set_mode(ChunkMode::Text);
        let function = chunk.into_function().map_err(|error| {
            let error = from_lua_error(&Value::Error(Box::new(error)));
            let text = error.0.strip_prefix("ERR ").unwrap_or(&error.0);
            CommandError::text(format!("ERR Error compiling script (new function): {text}"))
        })?;
        self.compiled.insert(sha.to_owned(), Compiled { function, pinned });
        if !pinned {
            self.evictable.push_back((sha.to_owned(), source.len()));
            self.evict_scripts();
        }
        Ok(())
    }

    /// Drops the oldest scripts run by `EVAL` if there are many, or if they use much of the memory limit.
    fn evict_scripts(&mut self) {
        let mut bytes: usize = self.evictable.iter().map(|(_, bytes)| bytes).sum();
        while self.evictable.len() > MAX_EVICTABLE
            || (bytes > self.memory.script_cache_limit() && self.evictable.len() > 1)
        {
            let Some((oldest, freed)) = self.evictable.pop_front() else { return };
            bytes -= freed;
            if self.compiled.get(&oldest).is_some_and(|compiled| !compiled.pinned) {
                self.compiled.remove(&oldest);
            }
        }
    }

    fn call(&self, function: &Function, keys: &[Bytes], args: &[Bytes]) -> mlua::Result<CommandResult> {
        for (name, items) in [("KEYS", keys), ("ARGV", args)] {
            let table = self.lua.create_table_with_capacity(items.len(), 0)?;
            for item in items {
                table.raw_push(self.lua.create_string(item)?)?;
            }
            self.globals.raw_set(name, table)?;
        }
        let (done, value): (bool, Value) = self.xpcall.call((function, &self.handler))?;
        if !done {
            return Ok(Err(from_lua_error(&value)));
        }
        from_lua(&value, 0)
    }
}

/// Installs a hook that checks the clock every `instructions` instructions. After a script has run for too long, the hook runs
/// at every instruction, so that a script that catches the error does not get far.
fn install_hook(lua: &mlua::Lua, run_state: &Arc<RunState>, instructions: u32) -> mlua::Result<()> {
    let run_state = run_state.clone();
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(instructions), move |lua, _| {
        if !run_state.revoked.load(Ordering::Relaxed) && Instant::now() < *run_state.deadline.lock() {
            return Ok(VmState::Continue);
        }
        if !run_state.timed_out.swap(true, Ordering::Relaxed) {
            install_hook(lua, &run_state, 1)?;
        }
        Err(to_lua_error(STOPPED))
    })
}

const STOPPED: CommandError = CommandError::new("ERR Script stopped: it ran for too long");

/// Returns the current line of the script.
fn line(lua: &mlua::Lua) -> usize {
    let at = |level| {
        lua.inspect_stack(level, |frame| {
            let in_script = frame.source().source.is_some_and(|source| source == "@user_script");
            frame.current_line().filter(|_| in_script)
        })
    };
    (0..).map_while(at).flatten().next().unwrap_or(0)
}

/// Executes a command for a script.
fn invoke(db: &Mutex<Database>, run_state: &RunState, commands: Commands, args: Variadic<Argument>) -> CommandResult {
    if args.is_empty() {
        return Err(CommandError::new("ERR Please specify at least one argument for this redis lib call"));
    }
    let args: Option<Vec<Bytes>> = args.into_iter().map(|Argument(arg)| arg).collect();
    let args = args.ok_or(CommandError::new("ERR Lua redis lib command arguments must be strings or integers"))?;
    let (name, args) = args.split_first().ok_or(CommandError::SYNTAX)?;
    let mut declared_keys = run_state.declared_keys.lock();
    let mut db = db.lock();
    // Checked under the lock, which is also held when access is revoked.
    if run_state.revoked.load(Ordering::Acquire) {
        return Err(STOPPED);
    }
    commands(&mut db, name, args, declared_keys.as_mut())
}

#[cfg(test)]
mod tests;
