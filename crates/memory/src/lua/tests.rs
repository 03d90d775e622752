//! What scripts must not be able to do to the process or to each other.

use super::*;

fn lua() -> Lua {
    let db = Arc::new(Mutex::new(Database::new(1 << 20)));
    Lua::new(db, 1 << 20, LoadedScripts::default(), crate::table::run_for_script).unwrap()
}

fn run(lua: &mut Lua, source: &str) -> CommandResult {
    lua.run(source, source.as_bytes(), &[], 0)
}

fn error_of(lua: &mut Lua, source: &str) -> String {
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
        "xpcall(function() while true do end end, function() while true do end end)",
        "xpcall(error, function() while true do end end)",
        "table.sort({1, 2, 3}, function() while true do end end)",
        "('x'):gsub('x', function() while true do end end)",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    ];
    for source in loops {
        lua.time_limit = Duration::from_millis(50);
        assert!(error_of(&mut lua, source).starts_with("ERR Script stopped: it ran for too long"), "{source}");
        lua.time_limit = DEFAULT_TIME_LIMIT;
        assert_eq!(run(&mut lua, "return 1"), Ok(RespValue::Int(1)));
    }
}

#[test]
fn a_script_cannot_take_all_memory() {
    let mut lua = lua();
    assert!(error_of(&mut lua, "return ('x'):rep(1e9)").contains("not enough memory"));
    assert!(error_of(&mut lua, "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end").contains("memory"));
    assert_eq!(run(&mut lua, "return 1"), Ok(RespValue::Int(1)));
}

#[test]
fn memory_used_by_a_script_is_available_to_the_next() {
    let mut lua = lua();
    for source in [
        "local t = {} while true do t[#t + 1] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 28 do t[i] = ('x'):rep(1e6) .. i end return 1",
        "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    ] {
        for next in ["return #('x'):rep(1e7)", "local t = {} for i = 1, 1e5 do t[i] = {} end return #t"] {
            let _ = run(&mut lua, source);
            let outcome = run(&mut lua, next);
            assert!(matches!(outcome, Ok(RespValue::Int(_))), "{source}, then {next}: {outcome:?}");
        }
    }
}

#[test]
fn a_script_that_uses_all_memory_does_not_fail_the_next() {
    // For several states of the collector when memory runs out.
    for first in [24, 22, 20, 18] {
        let mut lua = lua();
        // Many strings leave a large table of strings. A collection shrinks it, and allocates for that.
        let strings = "local t = {} for i = 1, 3e5 do t[i] = 'k' .. i end return #t";
        assert_eq!(run(&mut lua, strings), Ok(RespValue::Int(300_000)));
        let fill = format!(
            "local size, count, all = 0, 0
            local function more() count = count + 1 all = {{ ('x'):rep(size) .. count, all }} end
            for power = {first}, 0, -1 do
                size = 2 ^ power
                while pcall(more) do end
            end
            return 1"
        );
        assert_eq!(run(&mut lua, &fill), Ok(RespValue::Int(1)), "{first}");
        for next in 0..20 {
            assert_eq!(run(&mut lua, &format!("return {next}")), Ok(RespValue::Int(next)), "{first}");
        }
    }
}

#[test]
fn compiled_scripts_are_evicted_for_others() {
    let mut lua = lua();
    for number in 0..100 {
        let source = format!("return {number}, '{number}{}'", "x".repeat(1 << 20));
        assert_eq!(run(&mut lua, &source), Ok(RespValue::Int(number)));
    }
    assert_eq!(run(&mut lua, "return #('x'):rep(5e6)"), Ok(RespValue::Int(5_000_000)));
}

#[test]
fn arguments_that_c_does_not_check_are_rejected() {
    let mut lua = lua();
    for ranges in [
        "0, 2147483647",
        "-2147483648, 2147483647",
        "-2147483648",
        "1, 8001",
        "-4294967296, 6442450943",
        "'0', '2147483647'",
    ] {
        let text = error_of(&mut lua, &format!("return {{ unpack({{}}, {ranges}) }}"));
        assert!(text.starts_with("ERR user_script:1: too many results to unpack"), "{ranges}: {text}");
    }
    for call in ["find(t, p)", "match(t, p)", "gsub(t, p, '')", "gmatch(t, p)()"] {
        let source = format!("local t, p = ('a'):rep(9), ('a-'):rep(100001) return string.{call}");
        let text = error_of(&mut lua, &source);
        assert!(text.starts_with("ERR user_script:1: pattern too complex"), "{call}: {text}");
    }
    assert_eq!(run(&mut lua, "return ('').rep('', 2147483647)"), Ok(RespValue::Bulk(Bytes::new())));
    let wrong = error_of(&mut lua, "\nlocal at = string.find({}, 'x') return at");
    assert!(wrong.starts_with("ERR user_script:2: bad argument #1 to 'find' (string expected, got table)"), "{wrong}");
    assert!(error_of(&mut lua, "return unpack(5)").contains("table expected, got number"));
}

#[test]
fn calls_may_return_many_values() {
    let mut lua = lua();
    for call in [
        "pcall(unpack, t)",
        "xpcall(function() return unpack(t) end, error)",
        "coroutine.resume(coroutine.create(unpack), t)",
    ] {
        for count in [19, 20, 21, 40, 41, 1000, 7000] {
            let source = format!("local t = {{}} for i = 1, {count} do t[i] = i end return select('#', {call})");
            assert_eq!(run(&mut lua, &source), Ok(RespValue::Int(count + 1)), "{source}");
        }
    }
}

#[test]
fn no_state_survives_a_run() {
    let mut lua = lua();
    for source in [
        "x = 1",
        "KEYS = 1",
        "_G.x = 1",
        "rawset(_G, 'x', 1)",
        "setmetatable(_G, {})",
        "string.x = 1",
        "table.insert(string, 1)",
        "redis.call = 1",
        "loadstring('x = 1')()",
        "getmetatable('').__index.x = 1",
    ] {
        assert!(run(&mut lua, source).is_err(), "{source}");
    }
    assert!(error_of(&mut lua, "return x").contains("nonexistent global variable 'x'"));
    assert!(error_of(&mut lua, "return KEYS[1] + x").contains("nonexistent global variable 'x'"));
}

#[test]
fn a_script_cannot_access_the_system() {
    let mut lua = lua();
    for name in ["os", "io", "package", "require", "dofile", "loadfile", "debug", "print", "getfenv", "setfenv"] {
        assert!(error_of(&mut lua, &format!("return {name}")).contains("nonexistent global variable"), "{name}");
    }
    assert_eq!(run(&mut lua, "return string.dump"), Ok(RespValue::Nil));
    assert_eq!(run(&mut lua, "return loadstring('\\27Lua')"), Ok(RespValue::Nil));
}

#[test]
fn scripts_that_are_not_loaded_are_evicted() {
    let mut lua = lua();
    lua.load("loaded", b"return 1").unwrap();
    for i in 0..MAX_EVICTABLE + 10 {
        run(&mut lua, &format!("return {i}")).unwrap();
    }
    assert!(lua.contains("loaded") && !lua.contains("return 0") && lua.compiled.len() <= MAX_EVICTABLE + 1);
}
