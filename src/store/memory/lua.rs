//! Lua: the only code that names mlua.
//!
//! What a script may rely on, and what trips those who imitate Redis: a number given to a command is written with 17
//! digits, not by `tostring`; a number answered is cut to a whole one; nothing is `false` in a script and `false` is nothing
//! in an answer; an answered array ends at its first `nil`; a global cannot be assigned; time stands still.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mlua::{ChunkMode, Function, HookTriggers, LuaOptions, MultiValue, StdLib, Table, Value, VmState};

use super::answer::{Answer, Fault, Outcome};
use super::db::Db;
use super::table::{self, Run};
use super::{lock, number};
use crate::error::{Error, Kind, Result};

/// How long a script may run.
const PATIENCE: Duration = Duration::from_secs(5);
/// Instructions between two looks at the clock.
const STRIDE: u32 = 10_000;
/// Scripts that came by `EVAL` and are kept compiled; those loaded, and this crate's own, stay until `SCRIPT FLUSH`.
const PASSING: usize = 500;
/// How deep an answer may be nested.
const DEEPEST: usize = 200;
/// What Lua itself may use at least, in bytes.
const MIN_MEMORY: usize = 32 * 1024 * 1024;

/// The Lua state with the scripts it has compiled.
pub struct Lua {
    lua: mlua::Lua,
    globals: Table,
    guard: Function,
    handler: Function,
    db: Arc<Mutex<Db>>,
    watch: Arc<Watch>,
    compiled: HashMap<String, Compiled>,
    passing: VecDeque<String>,
}

struct Compiled {
    function: Function,
    stays: bool,
}

/// What hooks and handlers tell the one who started a script.
struct Watch {
    patience: Duration,
    started: Mutex<Instant>,
    over: AtomicBool,
    line: AtomicUsize,
}

/// A refusal on its way through Lua.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.0)]
struct Refusal(Fault);

impl Lua {
    pub fn new(db: Arc<Mutex<Db>>, max_bytes: usize) -> Result<Self> {
        Self::with_patience(db, max_bytes, PATIENCE)
    }

    fn with_patience(db: Arc<Mutex<Db>>, max_bytes: usize, patience: Duration) -> Result<Self> {
        let started = Mutex::new(Instant::now());
        let watch = Watch { patience, started, over: AtomicBool::new(false), line: AtomicUsize::new(0) };
        Self::build(db, max_bytes, Arc::new(watch))
            .map_err(|error| Error::new(Kind::Internal, "Lua could not be started").with_source(error))
    }

    fn build(db: Arc<Mutex<Db>>, max_bytes: usize, watch: Arc<Watch>) -> mlua::Result<Self> {
        let lua = mlua::Lua::new_with(StdLib::STRING | StdLib::TABLE | StdLib::MATH, LuaOptions::default())?;
        lua.set_memory_limit(max_bytes.max(MIN_MEMORY))?;
        let guard = lua.globals().get("xpcall")?;
        let noticed = watch.clone();
        let handler = lua.create_function(move |lua, error: Value| {
            noticed.line.store(line(lua), Ordering::Relaxed);
            Ok(error)
        })?;
        let (redis, globals) = (lua.create_table()?, lua.create_table()?);
        let space = db.clone();
        redis.set(
            "call",
            lua.create_function(move |lua, args: MultiValue| {
                let answer = invoke(&space, args).map_err(raised)?;
                into_lua(lua, answer)
            })?,
        )?;
        let space = db.clone();
        redis.set(
            "pcall",
            lua.create_function(move |lua, args: MultiValue| {
                into_lua(lua, invoke(&space, args).unwrap_or_else(Answer::Error))
            })?,
        )?;
        redis.set(
            "sha1hex",
            lua.create_function(|lua, args: MultiValue| {
                let text = args.front().filter(|_| args.len() == 1).and_then(argument);
                let text = text.ok_or_else(|| raised(Fault::new("ERR wrong number of arguments")))?;
                lua.create_string(sha1_smol::Sha1::from(&text).digest().to_string())
            })?,
        )?;
        let describe = lua.create_function(|lua, error: Value| lua.create_string(fault(&error).0.as_bytes()))?;
        lua.load(include_str!("lua/redis.lua")).set_name("@redis").call::<()>(&redis)?;
        let sandbox = lua.load(include_str!("lua/sandbox.lua")).set_name("@sandbox");
        let sealed: Table = sandbox.call((redis, &globals, describe))?;
        lua.set_globals(sealed)?;
        look_every(&lua, &watch, STRIDE)?;
        Ok(Self { lua, globals, guard, handler, db, watch, compiled: HashMap::new(), passing: VecDeque::new() })
    }

    /// Runs a script, compiled if it was not yet. The first `keys` arguments are its keys.
    pub fn run(&mut self, sha: &str, source: &[u8], args: &[Bytes], keys: usize) -> Outcome {
        if !self.compiled.contains_key(sha) {
            self.compile(sha, source, false)?;
        }
        self.run_known(sha, args, keys)
    }

    /// Runs a script that was compiled before.
    pub fn run_known(&mut self, sha: &str, args: &[Bytes], keys: usize) -> Outcome {
        let missing = Fault::new("NOSCRIPT No matching script. Please use EVAL.");
        let function = self.compiled.get(sha).map(|compiled| compiled.function.clone()).ok_or(missing)?;
        let (keys, args) = args.split_at(keys.min(args.len()));
        {
            let mut db = lock(&self.db);
            db.begin();
            // What the script is about must not be evicted by the script.
            for key in keys {
                db.space.touch(key);
            }
        }
        *lock(&self.watch.started) = Instant::now();
        let outcome = self.enter(&function, keys, args);
        if self.watch.over.swap(false, Ordering::Relaxed) {
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
            Some(compiled) => {
                compiled.stays = true;
                Ok(())
            }
            None => self.compile(sha, source, true),
        }
    }

    /// Whether a script is compiled.
    pub fn knows(&self, sha: &str) -> bool {
        self.compiled.contains_key(sha)
    }

    /// Drops all compiled scripts.
    pub fn forget(&mut self) {
        self.compiled.clear();
        self.passing.clear();
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
            self.passing.push_back(sha.to_owned());
        }
        if self.passing.len() > PASSING
            && let Some(oldest) = self.passing.pop_front()
            && self.compiled.get(&oldest).is_some_and(|compiled| !compiled.stays)
        {
            self.compiled.remove(&oldest);
        }
        Ok(())
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

/// Has the hook look at the clock every so many instructions, until a script has run for too long. From then on it
/// looks at every single one: a script that catches the error must not get far.
fn look_every(lua: &mlua::Lua, watch: &Arc<Watch>, instructions: u32) -> mlua::Result<()> {
    let watch = watch.clone();
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(instructions), move |lua, _| {
        if lock(&watch.started).elapsed() < watch.patience {
            return Ok(VmState::Continue);
        }
        if !watch.over.swap(true, Ordering::Relaxed) {
            look_every(lua, &watch, 1)?;
        }
        let seconds = watch.patience.as_secs_f32();
        Err(raised(Fault::text(format!("ERR Script stopped: it ran for more than {seconds} s"))))
    })
}

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

fn raised(fault: Fault) -> mlua::Error {
    mlua::Error::external(Refusal(fault))
}

/// What an error value means, with a code in front.
fn fault(error: &Value) -> Fault {
    let text = match error {
        Value::Table(table) => match table.raw_get::<Value>("err") {
            Ok(Value::String(text)) => return Fault::text(one_line(&text)),
            _ => "unknown error".to_owned(),
        },
        Value::Error(error) => {
            let mut error: &mlua::Error = error;
            while let mlua::Error::CallbackError { cause, .. } = error {
                error = cause;
            }
            match (error.downcast_ref(), error) {
                (Some(Refusal(fault)), _) => return fault.clone(),
                (None, mlua::Error::SyntaxError { message, .. }) => message.clone(),
                (None, other) => other.to_string(),
            }
        }
        Value::Nil => "nil".to_owned(),
        other => argument(other).map_or("unknown error".to_owned(), |text| String::from_utf8_lossy(&text).into_owned()),
    };
    Fault::text(format!("ERR {}", text.replace(['\r', '\n'], " ")))
}

fn one_line(text: &mlua::String) -> String {
    text.to_string_lossy().replace(['\r', '\n'], " ")
}

/// A string or number as a command gets it.
fn argument(value: &Value) -> Option<Bytes> {
    match value {
        Value::String(text) => Some(Bytes::copy_from_slice(&text.as_bytes())),
        Value::Integer(number) => Some(number::write_float(*number as f64)),
        Value::Number(number) => Some(number::write_float(*number)),
        _ => None,
    }
}

/// Runs a command for a script.
fn invoke(db: &Mutex<Db>, args: MultiValue) -> Outcome {
    if args.is_empty() {
        return Err(Fault::new("ERR Please specify at least one argument for this redis lib call"));
    }
    let args: Option<Vec<Bytes>> = args.iter().map(argument).collect();
    let args = args.ok_or(Fault::new("ERR Lua redis lib command arguments must be strings or integers"))?;
    let (name, args) = args.split_first().ok_or(Fault::SYNTAX)?;
    let unknown = Fault::new("ERR Unknown Redis command called from script");
    let spec = std::str::from_utf8(name).ok().and_then(table::find).ok_or(unknown)?;
    if !spec.takes(args) {
        return Err(Fault::new("ERR Wrong number of args calling Redis command from script"));
    }
    let Run::Command(run) = spec.run else {
        return Err(Fault::new("ERR This Redis command is not allowed from script"));
    };
    let mut db = lock(db);
    db.make_room(spec, args)?;
    run(&mut db, args)
}

fn into_lua(lua: &mlua::Lua, answer: Answer) -> mlua::Result<Value> {
    let single = |name: &str, text: &[u8]| {
        let table = lua.create_table()?;
        table.raw_set(name, lua.create_string(text)?)?;
        Ok(Value::Table(table))
    };
    match answer {
        Answer::Nil => Ok(Value::Boolean(false)),
        Answer::Int(number) => Ok(Value::Number(number as f64)),
        Answer::Bulk(text) => lua.create_string(&text).map(Value::String),
        Answer::Status(text) => single("ok", &text),
        Answer::Error(fault) => single("err", fault.0.as_bytes()),
        Answer::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for item in items {
                table.raw_push(into_lua(lua, item)?)?;
            }
            Ok(Value::Table(table))
        }
    }
}

/// What a script answered. An error it returns is its answer, with nothing put behind.
fn from_lua(value: &Value, depth: usize) -> mlua::Result<Outcome> {
    if depth > DEEPEST {
        return Ok(Err(Fault::new("ERR reached lua stack limit")));
    }
    Ok(Ok(match value {
        Value::String(text) => Answer::Bulk(Bytes::copy_from_slice(&text.as_bytes())),
        Value::Integer(number) => Answer::Int(*number),
        Value::Number(number) => Answer::Int(whole(*number)),
        Value::Boolean(true) => Answer::Int(1),
        Value::Table(table) => {
            if let Value::String(text) = table.raw_get("err")? {
                return Ok(Ok(Answer::Error(Fault::text(one_line(&text)))));
            }
            if let Value::String(text) = table.raw_get("ok")? {
                return Ok(Ok(Answer::Status(Bytes::from(one_line(&text)))));
            }
            let mut items = Vec::new();
            loop {
                match table.raw_get(items.len() + 1)? {
                    Value::Nil => break,
                    item => match from_lua(&item, depth + 1)? {
                        Ok(item) => items.push(item),
                        failed => return Ok(failed),
                    },
                }
            }
            Answer::Array(items)
        }
        _ => Answer::Nil,
    }))
}

/// A number without its fraction. What does not fit becomes the smallest, as C compilers for x86 have it.
fn whole(number: f64) -> i64 {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    if fits { number as i64 } else { i64::MIN }
}

#[cfg(test)]
mod tests;
