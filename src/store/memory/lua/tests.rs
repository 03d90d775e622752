//! What scripts must not do to the process or to each other.

use super::*;

fn lua() -> Lua {
    let db = Arc::new(Mutex::new(Db::new(1 << 20)));
    Lua::with_patience(db, 1 << 20, Duration::from_millis(50)).unwrap()
}

fn run(lua: &mut Lua, source: &str) -> Outcome {
    lua.run(source, source.as_bytes(), &[], 0)
}

fn refusal(lua: &mut Lua, source: &str) -> String {
    run(lua, source).unwrap_err().0.into_owned()
}

#[test]
fn a_script_that_never_ends_is_stopped() {
    let mut lua = lua();
    let loops = [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do pcall(redis.call, 'PING') end",
        "coroutine.wrap(function() while true do end end)()",
        "local t = setmetatable({}, { __index = function() while true do end end }) return t.x",
    ];
    for source in loops {
        assert!(refusal(&mut lua, source).starts_with("ERR Script stopped: it ran for more than"), "{source}");
        assert_eq!(run(&mut lua, "return 1"), Ok(Answer::Int(1)));
    }
}

#[test]
fn a_script_cannot_take_all_memory() {
    let mut lua = lua();
    assert!(refusal(&mut lua, "return ('x'):rep(1e9)").contains("not enough memory"));
    assert!(refusal(&mut lua, "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end").contains("memory"));
    assert_eq!(run(&mut lua, "return 1"), Ok(Answer::Int(1)));
}

#[test]
fn nothing_survives_a_run() {
    let mut lua = lua();
    for source in [
        "x = 1",
        "KEYS = 1",
        "_G.x = 1",
        "rawset(_G, 'x', 1)",
        "setmetatable(_G, {})",
        "string.x = 1",
        "redis.call = 1",
        "loadstring('x = 1')()",
        "getmetatable('').__index.x = 1",
    ] {
        assert!(run(&mut lua, source).is_err(), "{source}");
    }
    assert!(refusal(&mut lua, "return x").contains("nonexistent global variable 'x'"));
    assert!(refusal(&mut lua, "return KEYS[1] + x").contains("nonexistent global variable 'x'"));
}

#[test]
fn a_script_reaches_nothing_outside() {
    let mut lua = lua();
    for name in ["os", "io", "package", "require", "dofile", "loadfile", "debug", "print", "getfenv", "setfenv"] {
        assert!(refusal(&mut lua, &format!("return {name}")).contains("nonexistent global variable"), "{name}");
    }
    assert_eq!(run(&mut lua, "return string.dump"), Ok(Answer::Nil));
    assert_eq!(run(&mut lua, "return loadstring('\\27Lua')"), Ok(Answer::Nil));
}

#[test]
fn scripts_that_merely_pass_are_forgotten() {
    let mut lua = lua();
    lua.load("kept", b"return 1").unwrap();
    for i in 0..PASSING + 10 {
        run(&mut lua, &format!("return {i}")).unwrap();
    }
    assert!(lua.knows("kept") && !lua.knows("return 0") && lua.compiled.len() <= PASSING + 1);
}
