//! What scripts see and return. Errors are compared up to ` script: …`, since versions describe the position differently.

use crate::pair::{Pair, none};

/// Scripts on keys `s` (string), `h` (hash), `l` (list), `z` (sorted set), with arguments.
const LINES: &str = r#"
EVAL "return 1" 0
EVAL "return 'a'" 0
EVAL "return 3.99" 0
EVAL "return -3.99" 0
EVAL "return 2^53" 0
EVAL "return 2^63" 0
EVAL "return 1/0" 0
EVAL "return 0/0" 0
EVAL "return true" 0
EVAL "return false" 0
EVAL "return nil" 0
EVAL "return" 0
EVAL "" 0
EVAL "return 1, 2" 0
EVAL "return function() end" 0
EVAL "return {}" 0
EVAL "return {1, 'b', true, false, 3.5, {4}}" 0
EVAL "return {1, nil, 3}" 0
EVAL "return {a = 1}" 0
EVAL "return {ok = 'fine'}" 0
EVAL "return {ok = 'two\nlines'}" 0
EVAL "return {ok = 1}" 0
EVAL "return {err = 'MY error'}" 0
EVAL "return {err = 'two\nlines'}" 0
EVAL "return {err = 1}" 0
EVAL "return {1, {err = 'MY error'}, {ok = 'fine'}}" 0
EVAL "return redis.status_reply('fine')" 0
EVAL "return redis.status_reply(1)" 0
EVAL "return redis.error_reply('MY error')" 0
EVAL "return redis.error_reply('-MY error')" 0
EVAL "return redis.error_reply('ONEWORD')" 0
EVAL "return redis.error_reply()" 0
EVAL "return redis.error_reply(1, 2)" 0
EVAL "return redis.sha1hex('')" 0
EVAL "return redis.sha1hex(12)" 0
EVAL "return redis.sha1hex()" 0
EVAL "return redis.log(redis.LOG_DEBUG, 'x')" 0
EVAL "return redis.log('x')" 0
EVAL "return redis.log(7, 'x')" 0
EVAL "return redis.replicate_commands()" 0
EVAL "return {#KEYS, #ARGV, KEYS[1], ARGV[1], ARGV[2]}" 1 s a b
EVAL "return KEYS" 2 s h a
EVAL "return ARGV" 0
EVAL "KEYS[1] = 'x' return KEYS" 1 s
EVAL "return loadstring('return KEYS[1]')()" 1 s
EVAL "return redis.call('GET', KEYS[1])" 1 s
EVAL "return redis.call('get', 'missing')" 0
EVAL "return redis.call('GET', 'missing') == false" 0
EVAL "return type(redis.call('GET', 'missing'))" 0
EVAL "return redis.call('SET', 's', 'x')" 0
EVAL "return redis.call('SET', 's', 'x').ok" 0
EVAL "return redis.call('SET', 's', 'x', 'NX')" 0
EVAL "return redis.call('TYPE', 'h')['ok']" 0
EVAL "return redis.call('LRANGE', 'l', 0, -1)" 0
EVAL "return #redis.call('LRANGE', 'l', 0, -1)" 0
EVAL "return redis.call('HGETALL', 'missing')" 0
EVAL "return redis.call('HMGET', 'h', 'a', 'missing', 'b')" 0
EVAL "local t = redis.call('HMGET', 'h', 'a', 'missing', 'b') return {#t, tostring(t[2])}" 0
EVAL "return redis.call('LPOP', 'missing', 2)" 0
EVAL "return redis.call('ZRANGE', 'z', 0, -1, 'WITHSCORES')" 0
EVAL "return redis.call('ZSCORE', 'z', 'a') + 1" 0
EVAL "return redis.call('INCRBY', 'n', 5) * 1.5" 0
EVAL "return redis.call('ECHO', 1)" 0
EVAL "return redis.call('ECHO', 1.5)" 0
EVAL "return redis.call('ECHO', 0.1)" 0
EVAL "return redis.call('ECHO', -0.1)" 0
EVAL "return redis.call('ECHO', 1e15)" 0
EVAL "return redis.call('ECHO', 1700000000000)" 0
EVAL "return redis.call('ECHO', 1e17)" 0
EVAL "return redis.call('ECHO', 123456789012345678)" 0
EVAL "return redis.call('ECHO', 1e300)" 0
EVAL "return redis.call('ECHO', 1/0)" 0
EVAL "return redis.call('ECHO', 2^31)" 0
EVAL "return redis.call('SET', 's', 1 .. '')" 0
EVAL "return redis.call('ECHO', true)" 0
EVAL "return redis.call('ECHO', nil)" 0
EVAL "return redis.call('ECHO', {})" 0
EVAL "return redis.call()" 0
EVAL "return redis.call('NOSUCH')" 0
EVAL "return redis.call('GET')" 0
EVAL "return redis.call('GET', 'h')" 0
EVAL "return redis.pcall('GET', 'h')" 0
EVAL "return redis.pcall('GET', 'h').err" 0
EVAL "return redis.pcall('GET').err" 0
EVAL "return redis.pcall('NOSUCH').err" 0
EVAL "return {redis.pcall('GET', 'h'), 'and on'}" 0
EVAL "local ok, e = pcall(redis.call, 'GET', 'h') return {tostring(ok), type(e)}" 0
EVAL "local ok, e = pcall(function() error('x') end) return e" 0
EVAL "local ok, e = pcall(function() error({err = 'MY error'}) end) return e" 0
EVAL "local ok, e = pcall(error, 'x') return e" 0
EVAL "return {pcall(function() return 1, 2 end)}" 0
EVAL "return {pcall(function() end)}" 0
EVAL "return redis.call('EVAL', 'return 1', 0)" 0
EVAL "return redis.call('SCRIPT', 'FLUSH')" 0
EVAL "error('x')" 0
EVAL "error('x', 0)" 0
EVAL "error({err = 'MY error'})" 0
EVAL "error()" 0
EVAL "error(12)" 0
EVAL "return nil + 1" 0
EVAL "\nreturn nil .. 1" 0
EVAL "local t = nil return t.x" 0
EVAL "return x" 0
EVAL "x = 1" 0
EVAL "function f() end" 0
EVAL "KEYS = 1" 0
EVAL "string.x = 1" 0
EVAL "redis.x = 1" 0
EVAL "_G.x = 1" 0
EVAL "rawset(_G, 'x', 1)" 0
EVAL "setmetatable(_G, {})" 0
EVAL "return os" 0
EVAL "return print" 0
EVAL "return x +" 0
EVAL "for" 0
EVAL "return redis.call('SET', 's', 'half') and redis.call('GET', 'h')" 0
EVAL "return {math.floor(3.7), math.max(1, 2), tonumber('12'), tonumber('x')}" 0
EVAL "return {string.format('%d:%s', 3, 'x'), ('a,b'):find(','), string.rep('ab', 3)}" 0
EVAL "local t = {3, 1, 2} table.sort(t) return {table.concat(t, '-'), unpack(t)}" 0
EVAL "local t = {} for k, v in ipairs(ARGV) do t[#t + 1] = v .. k end return t" 0 a b
EVAL "return tostring(1e15) .. tostring(0.1) .. tostring(12)" 0
EVAL "return {tostring(1700000000000), 1700000000000 .. ''}" 0
EVAL "return {tonumber(ARGV[1]) + 1, ARGV[1] + 1, ARGV[1] < '5'}" 0 10
EVAL "return _VERSION" 0
EVAL "return redis.call('TIME')[1] == redis.call('TIME')[1]" 0
EVAL "return redis.call('PEXPIRE', 's', 100000)" 0
EVAL "redis.call('SET', 's', 'v', 'PX', 100000) return redis.call('TTL', 's')" 0
EVAL "redis.call('PEXPIREAT', 's', 1) return redis.call('EXISTS', 's')" 0
EVAL "return redis.call('PUBLISH', 'c', 'm')" 0
EVAL "return redis.call('SPUBLISH', KEYS[1], 'm')" 1 c
EVAL "return redis.call('DEL', 's', 'h', 'l', 'z')" 0
EVAL "return {unpack({7, 8}, 1/0, 2)}" 0
EVAL "return {unpack({7, 8}, -1e300, 2)}" 0
EVAL "return {unpack({7, 8}, 4294967297, 2^33 + 2)}" 0
EVAL "return {unpack({7, 8}, -2147483649, 2^63)}" 0
EVAL "return {unpack({7, 8}, 0/0, -0.5)}" 0
EVAL "math.randomseed(0) return tostring(math.random())" 0
EVAL "math.randomseed(2147483648) local t = {} for i = 1, 20 do t[i] = math.random(-5, 1000) end return t" 0
EVAL "math.randomseed(-7.9) return {math.random(10), math.random(2147483647), math.random(-2147483648, 2147483647)}" 0
EVAL "return {pcall(redis.log, 7, 'x')}" 0
EVAL "return {err = '\\r\\n'}" 0
EVAL "return {1, {err = '\\r\\na\\r\\nb\\r\\n\\n'}}" 0
EVAL "error({err = 'MY error\\r\\n'})" 0
EVAL "return {ok = 'a\\r\\n'}" 0
EVAL "return {ok = 'a\\0b'}" 0
EVAL "return {1, {err = 'MY a\\0b'}, redis.error_reply('MY a\\0b')}" 0
EVAL "return {loadstring('\\27Lua')}" 0
EVAL "return {loadstring('\\27Lua', '=name')}" 0
EVAL "math.randomseed(1) return {type(pcall(math.random, 0)), math.random(1000)}" 0
EVAL "return redis.error_reply('\\r\\nA\\r\\nB\\r\\n')" 0
EVAL "return redis.error_reply('-\\r\\n').err" 0
EVAL "return redis.error_reply('--A b').err" 0
EVAL "return redis.error_reply('CODE a\\0b').err" 0
EVAL "return redis.error_reply('').err" 0
EVAL "local ok, e = coroutine.resume(coroutine.create(redis.call), 'GET', 'h') return {type(e), e.err}" 0
EVAL "local ok, e = coroutine.resume(coroutine.create(function() error({err = 'MY error'}) end)) return {type(e), e.err}" 0
EVAL "local ok, e = xpcall(function() return redis.call('GET', 'h') end, function(e) return {type(e), e.err} end) return e" 0
EVAL "local ok, e = xpcall(function() error({err = 'MY error'}) end, function(e) return type(e) end) return e" 0
EVAL "return {pcall(coroutine.wrap(function() return redis.call('GET', 'h') end))}" 0
EVAL "return loadstring()" 0
EVAL "return setmetatable({})" 0
EVAL "return rawset({}, 1)" 0
EVAL "return redis.log(3.9, 'x')" 0
EVAL "return redis.log(-0.9, 'x')" 0
EVAL "return redis.log(0/0, 'x')" 0
EVAL "return math.random(0)" 0
EVAL "return math.random(2, 1)" 0
EVAL "return math.random(1, 2, 3)" 0
EVAL "return math.random('x')" 0
EVAL "return redis.sha1hex(-9007199254740993)" 0
EVAL "return redis.sha1hex({})" 0
EVAL "return {type(getmetatable('')), getmetatable('').__index.len('abc')}" 0
EVAL "getmetatable('').x = 1" 0
EVAL "return select('#', pcall(error, {1}))" 0
EVAL "local ok, e, text = pcall(error, {err = {}}) return {type(e), type(text)}" 0
EVAL "local ok, e = pcall(error, {err = 12}) return e" 0
EVAL "return 1" 1
EVAL "return 1" x
EVAL "return 1" -1
SCRIPT LOAD "return 7"
SCRIPT LOAD "return +"
SCRIPT LOAD
SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
SCRIPT EXISTS
SCRIPT FLUSH what
SCRIPT what
EVALSHA x 0
EVALSHA x y
"#;

#[test]
fn scripts_see_and_return_the_same() {
    let mut pair = Pair::start();
    let differences = LINES.lines().filter(|line| !line.is_empty()).filter_map(|line| {
        pair.difference(&[
            "SET s hello",
            "HSET h a 1 b 2",
            "RPUSH l x y z",
            "ZADD z 1 a 2.5 b",
            line,
            "GET s",
            "TTL s",
            "KEYS *",
        ])
    });
    none(differences);
}

#[test]
fn scripts_are_cached_by_their_sha() {
    let mut pair = Pair::start();
    pair.check(&[
        "SCRIPT FLUSH",
        "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
        "EVAL \"return 1\" 0",
        "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
        "EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0",
        "SCRIPT LOAD \"return ARGV[1]\"",
        "EVALSHA 098e0f0d1448c0a81dafe820f66d460eb09263da 0 x",
        "SCRIPT EXISTS 098e0f0d1448c0a81dafe820f66d460eb09263da E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 00",
        "SCRIPT FLUSH SYNC",
        "SCRIPT EXISTS 098e0f0d1448c0a81dafe820f66d460eb09263da",
    ]);
}
