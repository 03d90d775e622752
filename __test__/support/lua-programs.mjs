// Random Lua programs, as scripts for a server: what they call is hostile, and each ends unless it says otherwise.

/** Repeatable chance: mulberry32. */
export function dice(seed) {
  return (sides) => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % sides
  }
}

/**
 * What a program returns in words: numbers to the last digit, bytes by their codes, tables by their pairs in the order of their keys.
 * What Redis 7 notes in errors for its statistics is no part of it: earlier ones have not got it.
 */
const SHOW =
  'math.randomseed(42) local fmt,tt,ts,ins,sort,cat,gs,by=string.format,type,tostring,table.insert,table.sort,table.concat,string.gsub,string.byte ' +
  "local nxt,rg=next,rawget local function show(v,d) local k=tt(v) if k=='string' then return '\"'..gs(v,'[^%w %p]',function(c) return fmt('<%02x>',by(c)) end)..'\"' " +
  "elseif k=='number' then return fmt('%.17g',v) elseif k=='table' then if d>4 then return '{..}' end local o={} for a,b in nxt,v do if a~='ignore_error_stats_update' then ins(o,show(a,d+1)..'='..show(b,d+1)) end end sort(o) return '{'..cat(o,',')..'}' " +
  "elseif k=='boolean' or k=='nil' then return ts(v) else return k end end " +
  "local function all(...) local o={} for i=1,select('#',...) do o[i]=show((select(i,...)),0) end return cat(o,';') end "

/** The order of what a set or a hash holds is not defined. */
const SORTED =
  "local function sorted(...) local r=redis.call(...) if tt(r)=='table' and not r.err and not r.ok then sort(r,function(a,b) return show(a,0)<show(b,0) end) end return r end "

const NUMBERS = (
  '0 1 -1 2 -2 3 4 5 7 10 -10 16 36 37 100 199 255 256 1000 0.5 -0.5 1.5 2.5 -2.5 0.1 1e-5 1e-310 3.999999 99.99 1e15 -1e15 1e16 1e17 1e100 -1e100 1e308 ' +
  '2147483647 2147483648 -2147483648 -2147483649 4294967295 4294967296 9007199254740991 9007199254740992 9007199254740993 -9007199254740993 ' +
  '9223372036854775807 9223372036854775808 -9223372036854775808 1e19 (1/0) (-1/0) (0/0) -(0/0) (0*-1) 0x10 0xffffffff 2^31 2^63 -2^63'
).split(' ')
/** Programs that end quickly. */
const SMALL = '0 1 2 3 4 5 8 -1 -2 -5 0.5 1.9 20'.split(' ')

const STRINGS = [
  "''", "'a'", "'b'", "'abc'", "'hello world'", "'aXbXc'", "'  x  '", "'12'", "' 7 '", "'0x10'", "'1e5'", "'-0'", "'nan'", "'inf'", "'-3.5'", "'1.'",
  "'\\0'", "'a\\0b'", "'\\255\\254'", "'\\r\\n'", "'\\t'", "'\"quoted\"'", "'a,b,,c'", "'key=value; k2=v2'", "'THE (quick) fox'", "'f(a(b)c)d'",
  "'9223372036854775807'", "'99999999999999999999'", "'aaaaaaaaaaaaaaaaaaaa'", "'[[x]]'", "'%d'", "'été'", "('ab'):rep(50)", "('x'):rep(150)",
] // prettier-ignore

const PATTERNS = [
  "'a'", "''", "'.'", "'.-'", "'.*'", "'%a+'", "'(%w*)'", "'[^a]'", "'[a-z]*$'", "'^%s*(.-)%s*$'", "'%b()'", "'%b'", "'%bxx'", "'%f[%w]%w+'", "'%f'", "'%f[a'",
  "'['", "'[]'", "'[]]'", "'[^]]'", "'[%'", "'[a-'", "'[%a-z]'", "'[z-a]'", "'%'", "'%%'", "'('", "')'", "'()'", "'(()'", "'(a)(b)(c)'", "'(a)%1'", "'%1'", "'%2(a)'", "'%9'", "'(%1)'",
  "'a-'", "'a*b'", "'a?b?c?'", "'-'", "'*'", "'+a'", "'^'", "'$'", "'^$'", "'a$b'", "'^^'", "'%z'", "'\\0'", "'a\\0'", "'[\\0-\\255]'", "'%x%X'", "'%g'", "'%c%C'", "'%p+'", "'%u%l'",
  "'([^,]*),?'", "'(%w+)=(%w+)'", "'X'", "('(.)'):rep(32)", "('(.)'):rep(33)", "('()'):rep(5)", "('a?'):rep(12)..('a'):rep(12)", "('.-'):rep(2)..'z'", "('%'):rep(7)",
] // prettier-ignore

const REPLACEMENTS = ["''", "'%0%0'", "'%1'", "'%2'", "'%9'", "'%'", "'%%'", "'%a'", "'x\\0y'", '12', '{}', "{a='A',b=1,c=false}", "{a=true}", 'string.upper', 'function() end', 'function(...) return select("#",...) end', 'function() return {} end', 'function() error("in it") end', 'nil', 'true'] // prettier-ignore

const FORMATS = [
  "'%d'", "'%i'", "'%5d'", "'%-5d|'", "'%05d'", "'%+d'", "'% d'", "'%.3d'", "'%u'", "'%c'", "'%x'", "'%X'", "'%#x'", "'%o'", "'%e'", "'%.0e'", "'%E'", "'%f'", "'%.0f'", "'%.20f'", "'%10.3f'",
  "'%g'", "'%.17g'", "'%.14g'", "'%G'", "'%q'", "'%s'", "'%.3s'", "'%20s'", "'%-20s|'", "'%.0s'", "'%%'", "'%5%'", "'%99d'", "'%100d'", "'%.99f'", "'%.100f'", "'%-+ #0d'", "'%-+ #00d'", "'%5'", "'%'", "'%y'", "'%a'",
  "'%s %s %s'", "'%2$s'", "'%*d'", "'\\0%s'", "'%s\\0%d'", "'%10q'", "'%5c|'", "'%ld'", "'%n'", "'%p'",
] // prettier-ignore

const TABLES = ['{}', '{1,2,3}', "{3,1,2,'b','a'}", "{'x','y','z'}", '{1,nil,3}', '{nil,nil,3}', "{a=1,b=2}", "{1,2,x=3,[10]=4,[-1]=5}", '{[1.5]=1,[2^53]=2}', '{{1},{2,{3}}}', '{n=5}', '{1,2,n=10}', '{true,false}', '{ok="fine"}', '{err="MY bad"}', '{ok=1}', '{err={}}', '{[0]=0,1,2}', '{function() end}', "{'10','9',8}"] // prettier-ignore

const KEYS = ["'s'", "'n'", "'h'", "'l'", "'t'", "'z'", "'none'"]

/** Commands with holes: `k` key, `f` field or member, `v` any value, `i` a number as an index or amount. */
const COMMANDS = `
GET k|SET k v|SET k v 'NX'|SET k v 'XX' 'GET'|SET k v 'EX' 100000|SETNX k v|GETSET k v|GETDEL k|STRLEN k|APPEND k v|GETRANGE k i i|SETRANGE k i v
INCR k|DECR k|INCRBY k i|DECRBY k i|MGET k k|MSET k v k v|MSETNX k v k v|DEL k|UNLINK k k|EXISTS k k|TYPE k|RENAME k k|TOUCH k
EXPIRE k 100000|EXPIREAT k 99999999999|PERSIST k|EXPIRE k i 'NX'
HSET k f v|HSET k f v f v|HSETNX k f v|HGET k f|HMGET k f f|HKEYS k|HVALS k|HDEL k f|HEXISTS k f|HLEN k|HSTRLEN k f|HINCRBY k f i|HMSET k f v
LPUSH k v|RPUSH k v v|LPUSHX k v|RPUSHX k v|LPOP k|RPOP k|LPOP k i|RPOP k i|LLEN k|LRANGE k i i|LTRIM k i i|LREM k i v|LINDEX k i|LSET k i v
SADD k f|SADD k f f v|SREM k f|SMEMBERS k|SISMEMBER k f|SMISMEMBER k f f|SCARD k|SPOP k 100
ZADD k i f|ZADD k i f i f|ZADD k 'NX' i f|ZADD k 'GT' 'CH' i f|ZADD k 'INCR' i f|ZINCRBY k i f|ZREM k f|ZSCORE k f|ZMSCORE k f f|ZCARD k|ZRANK k f
ZREVRANK k f|ZPOPMIN k|ZPOPMAX k i|ZRANGE k i i 'WITHSCORES'|ZRANGE k i i|ZRANGE k i i 'REV'|ZRANGEBYSCORE k i i|ZRANGEBYSCORE k '-inf' '(2' 'LIMIT' i i
ZREVRANGEBYSCORE k '+inf' i|ZREVRANGE k i i|ZCOUNT k i i|ZREMRANGEBYSCORE k i i|ZREMRANGEBYRANK k i i
ECHO v|PING|PING v|PUBLISH 'c' v|DBSIZE|NOSUCH v|GET|SET k|v k|SELECT 0|EVAL 'return 1' 0|SUBSCRIBE 'c'|MULTI|BLPOP k 0|FLUSHALL
`
  .split(/[|\n]/)
  .map((line) => line.match(/'[^']*'|\S+/g))
  .filter(Boolean)

const UNORDERED = new Set(['HKEYS', 'HVALS', 'SMEMBERS', 'SPOP'])

/** A maker of programs. A step is one statement as programs have it: a call of a library, a command, a recursion. */
export function programs(seed) {
  const roll = dice(seed)
  const pick = (list) => list[roll(list.length)]
  const one = (...makers) => pick(makers)()
  let vars

  const num = (d = 0) =>
    d > 2 || roll(3)
      ? pick(NUMBERS)
      : one(
          () => `(${num(d + 1)} ${pick(["+", "-", "*", "/", "%", "^"])} ${num(d + 1)})`,
          () => `(- ${num(d + 1)})`,
          () => `#${roll(2) ? str(d + 1) : tab(d + 1)}`,
          () => `math.${pick(['floor', 'ceil', 'abs', 'sqrt', 'exp', 'log', 'log10', 'sin', 'cos', 'tan', 'deg', 'rad', 'atan'])}(${num(d + 1)})`,
          () => `math.${pick(['max', 'min', 'fmod', 'pow', 'ldexp', 'atan2'])}(${num(d + 1)},${num(d + 1)})`,
          () => `tonumber(${any(d + 1)})`,
          () => `tonumber(${str(d + 1)},${pick(NUMBERS)})`,
          () => `math.random(${pick(['', num(d + 1), `${num(d + 1)},${num(d + 1)}`])})`,
          () => pick(['math.pi', 'math.huge']),
          () => `string.byte(${str(d + 1)},${num(d + 1)})`,
          () => `(select('#',${any(d + 1)},${any(d + 1)}))`,
        ) // prettier-ignore
  const str = (d = 0) =>
    d > 2 || roll(3)
      ? pick(STRINGS)
      : one(
          () => `(${str(d + 1)}..${roll(2) ? str(d + 1) : num(d + 1)})`,
          () => `string.${pick(['upper', 'lower', 'reverse'])}(${str(d + 1)})`,
          () => `string.rep(${pick(STRINGS.slice(0, 26))},${pick(SMALL)})`,
          () => `string.sub(${str(d + 1)},${num(d + 1)},${num(d + 1)})`,
          () => `string.format(${pick(FORMATS)},${any(d + 1)},${any(d + 1)})`,
          () => `tostring(${roll(2) ? num(d + 1) : str(d + 1)})`,
          () => `table.concat(${tab(d + 1)},${str(d + 1)})`,
          () => `string.char(${num(d + 1)},${pick(SMALL)})`,
          () => `type(${any(d + 1)})`,
          () => `redis.sha1hex(${str(d + 1)})`,
          () => `(string.gsub(${str(d + 1)},${pick(PATTERNS)},${pick(REPLACEMENTS)}))`,
        ) // prettier-ignore
  const tab = (d = 0) =>
    d > 2 || roll(3)
      ? pick(TABLES)
      : one(
          () => `{${any(d + 1)},${any(d + 1)}}`,
          () => `{${pick(['a', 'b', 'ok', 'err', 'n'])}=${any(d + 1)}}`,
          () => `{string.byte(${str(d + 1)},${num(d + 1)},${num(d + 1)})}`,
          () => `{string.find(${str(d + 1)},${pick(PATTERNS)})}`,
          () => `{unpack(${pick(TABLES)},${pick(NUMBERS)},${pick(NUMBERS)})}`,
          () => `{${call()}}`,
          () => `setmetatable(${pick(TABLES)},{${pick(META)}})`,
        ) // prettier-ignore
  const META = [
    '__index=function(t,k) return k end', '__index={a=9,b=8}', '__newindex=function(t,k,v) rawset(t,k,v) end', '__call=function(self,...) return ... end', '__add=function(a,b) return 1 end',
    '__concat=function(a,b) return "cat" end', '__eq=function() return true end', '__lt=function() return true end', '__le=function() return false end', '__unm=function() return "neg" end',
    '__len=function() return 99 end', '__tostring=function() return "text" end', '__tostring=function() return 1 end', '__metatable="shut"', '__mode="k"', '__index=function() error("no such") end', '__gc=1',
  ] // prettier-ignore
  const any = (d = 0) => {
    if (vars > 0 && !roll(4)) return `v${roll(vars)}`
    return pick([num, num, str, str, tab, () => pick(['true', 'false', 'nil', 'function(...) return ... end', 'KEYS', 'ARGV', 'ARGV[1]', 'KEYS[2]', 'tostring', 'coroutine.create(function() end)'])])(d) // prettier-ignore
  }
  const value = () => (roll(3) ? (roll(2) ? str(2) : num(2)) : roll(6) ? pick(STRINGS) : any(2))
  const hole = (word) => {
    switch (word) {
      case 'k':
        return roll(30) ? pick(KEYS) : value()
      case 'f':
        return roll(8) ? pick(["'a'", "'b'", "'c'", '1', "'1'"]) : value()
      case 'v':
        return value()
      case 'i':
        return roll(3) ? pick(['0', '1', '2', '-1', '-2', '5', "'3'"]) : num(2)
      default:
        return /^[A-Z]/.test(word) ? `'${roll(6) ? word : word.toLowerCase()}'` : word
    }
  }
  const call = () => {
    const [name, ...args] = pick(COMMANDS)
    const words = [name === 'v' ? value() : hole(name), ...args.map(hole)]
    if (UNORDERED.has(name)) return `sorted(${words.join(',')})`
    return `redis.${roll(3) ? 'pcall' : 'call'}(${words.join(',')})`
  }
  const lib = () =>
    one(
      () => `string.find(${str()},${pick(PATTERNS)},${num()},${pick(['true', 'false', 'nil'])})`,
      () => `string.find(${str()},${pick(PATTERNS)})`,
      () => `string.match(${str()},${pick(PATTERNS)},${num()})`,
      () => `string.gsub(${str()},${pick(PATTERNS)},${pick(REPLACEMENTS)},${num()})`,
      () => `string.gsub(${str()},${pick(PATTERNS)},${pick(REPLACEMENTS)})`,
      () => `(function() local o={} for a,b in string.gmatch(${str()},${pick(PATTERNS)}) do o[#o+1]=ts(a)..'/'..ts(b) if #o>50 then break end end return cat(o,',') end)()`,
      () => `string.format(${pick(FORMATS)},${any()},${any()},${any()})`,
      () => `string.format(${pick(FORMATS)}..${pick(FORMATS)},${num()},${str()})`,
      () => `string.byte(${str()},${num()},${num()})`,
      () => `string.sub(${str()},${num()})`,
      () => `string.${pick(['len', 'rep', 'upper', 'char', 'reverse', 'lower', 'sub', 'byte'])}(${any()})`,
      () => `table.concat(${tab()},${str()},${num()},${num()})`,
      () => `table.concat(${tab()},${any()})`,
      () => `unpack(${tab()},${num()},${num()})`,
      () => `unpack(${any()})`,
      () => `(function() local t=${tab()} table.insert(t,${pick(SMALL)},${any()}) return t end)()`,
      () => `(function() local t=${tab()} table.insert(t,${any()}) return t end)()`,
      () => `(function() local t=${tab()} local r=table.remove(t${roll(2) ? `,${num()}` : ''}) return r,t end)()`,
      () => `(function() local t=${tab()} table.sort(t${pick(['', ',function(a,b) return a>b end', ',function() return true end', ',function(a,b) return show(a,0)<show(b,0) end', ',1'])}) return t end)()`,
      () => `table.${pick(['getn', 'maxn'])}(${tab()})`,
      () => `(function() local n=0 local r=table.${pick(['foreach', 'foreachi'])}(${tab()},function(k,v) n=n+1 if n>2 then return k end end) return r,n end)()`,
      () => `select(${num()},${any()},${any()},${any()})`,
      () => `next(${tab()},${any()})`,
      () => `rawget(${tab()},${any()})`,
      () => `rawequal(${any()},${any()})`,
      () => `(function() local t=${tab()} t[${any()}]=${any()} return t,#t end)()`,
      () => `type(getmetatable(${any()}))`,
      () => `pcall(${pick(['error', 'tostring', 'string.sub', 'redis.call', 'function(...) return ... end', 'function() return nil+1 end', 'nil', 'pcall', 'unpack', 'string.format'])},${any()},${any()})`,
      () => `pcall(function() return ${any()}${pick(['+', '..', '<', '==', '<=', '%', '^'])}${any()} end)`,
      () => `pcall(function() return ${any()}.x,${any()}[${any()}] end)`,
      () => `xpcall(function() ${pick(['error(' + any() + ',' + num() + ')', 'return ' + any(), 'local x=nil x()'])} end,function(e) return ${pick(['e', 'ts(e)', 'type(e)', 'error("again")'])} end)`,
      () => `pcall(error,${any()},${pick(['0', '1', '2', '5', any()])})`,
      () => `assert(${any()},${any()})`,
      () => `math.${pick(['modf', 'frexp', 'random', 'floor', 'randomseed', 'fmod', 'max', 'ldexp'])}(${any()},${any()})`,
      () => `tostring(${one(num, str, () => pick(['nil', 'true']))})`,
      () => `loadstring(${pick(["'return 1+1'", "'return ...'", "'x x'", "''", "'return KEYS[1]'", "'\\27Lua'", "'return function() end'", "'error(\"in\")'", any()])})`,
      () => `pcall(loadstring(${pick(["'return 1+1'", "'local a=... return a'", "'return undefined_global'", "'y=1'", "'error({err=\"E x\"})'"])},'name'),${any()})`,
      () => `coroutine.${pick(['status', 'resume', 'wrap', 'create'])}(${any()})`,
      () => `(function() local c=coroutine.create(function(a,b) local x=coroutine.yield(a,${any()}) ${pick(['error("inside")', 'return x', 'coroutine.yield(x)', 'return redis.call("GET","s")', 'error({err="E of it"})'])} end) local r={coroutine.resume(c,${any()},2)} return ts(r[1]),show(r[2],0),coroutine.status(c),coroutine.resume(c,${any()}),coroutine.resume(c) end)()`,
      () => `pcall(coroutine.wrap(function() ${pick(['error("w")', 'return 1', 'coroutine.yield(1) coroutine.yield(2)', 'error()', 'local x=nil return x.y'])} end))`,
      () => `pcall(coroutine.yield,${any()})`,
      () => `coroutine.running()`,
      () => `redis.${pick(['status_reply', 'error_reply', 'sha1hex'])}(${any()})`,
      () => `redis.log(${pick(['redis.LOG_DEBUG', num()])},${any()})`,
      () => `({${any()},${any()},${any()}})[${num()}]`,
      () => `(function(...) return select('#',...),... end)(${any()},${any()})`,
      () => `${any()}${pick(['==', '~=', ' and ', ' or '])}${any()}`,
      () => `not ${any()}`,
    ) // prettier-ignore
  // Not any table: Redis 7.0 dies of one whose `err` is no string.
  const RAISED = [
    "'plain'",
    "'WORD and more'",
    "'-MINUS it'",
    "'two\\nlines'",
    '12',
    '1.5',
    "{err='MY error'}",
    "{err='ONE'}",
    "{err='E two\\r\\nlines',ok=1}",
    "''",
    "'at',0",
    "'up',2",
  ]
  const RECURSIONS = [
    'local function f(n) if n<1 then return 0 end return 1+f(n-1) end return f(DEEP)',
    'local function f(n) if n<1 then return 0 end return f(n-1) end return f(DEEP)',
    'local function f(n) return pcall(function() return f(n+1) end) end return select("#",f(0))>100',
    'local function f() return f()+1 end return f()',
    'local t=setmetatable({},{}) getmetatable(t).__index=function(t,k) return t[k+1] end return t[1]',
    'local t=setmetatable({},{}) getmetatable(t).__index=t return t.x',
    'local function f(n) if n<1 then return "" end return ("x"):gsub("x",function() return f(n-1) end) end return f(DEEP)',
    'local function f(n) if n<1 then return 0 end return coroutine.wrap(function() return 1+f(n-1) end)() end local ok,e=pcall(f,DEEP) return ok,ok and e',
    'local function f(n) local ok,e=pcall(f,n-1) return n end return f(DEEP)',
    'local t={} for i=1,DEEP do t={t} end return #t',
    'local s="return "..("("):rep(DEEP).."1"..(")"):rep(DEEP) local g,e=loadstring(s) return g and g() or e',
    'local s="return "..("{"):rep(DEEP)..("}"):rep(DEEP) local g,e=loadstring(s) return g and "made" or e',
    'local s="local a "..("do "):rep(DEEP)..("end "):rep(DEEP).."return 1" local g,e=loadstring(s) return g and g() or e',
    'local a={} for i=1,DEEP do a[i]=i end return select("#",unpack(a))',
    'return string.format(("%d"):rep(10),unpack({1,2,3,4,5,6,7,8,9,10},1,DEEP))',
    'local s="" for i=1,math.min(DEEP,2000) do s=s..i end return #s',
    'local n=0 for i=1,DEEP do n=n+i%7 end return n',
    'local n=0 while n<DEEP do n=n+1 if n==77 then break end end return n',
    'local n=0 repeat n=n+1 until n>=DEEP return n',
    'local n=0 for i=DEEP,1,-3 do n=n+1 end return n',
    'local n=0 for i=1,0 do n=n+1 end for i=1,3,0.5 do n=n+i end return n',
    'local t={} for i=1,DEEP do t[i]=(i*7919)%1009 end table.sort(t) return t[1],t[#t],#t',
    'local t={} for i=1,DEEP do t["k"..i]=i end local n=0 for k,v in pairs(t) do n=n+v t[k]=nil end return n,next(t)',
    'local t={} for i=1,DEEP do table.insert(t,1,i) if #t>50 then table.remove(t,1) end end return t[1],#t',
    'for i=1,DEEP do redis.call("RPUSH","l2",i) end return redis.call("LRANGE","l2",0,-1)',
    'local s=("ab"):rep(DEEP) return #s,s:find("ba",1,true),#s:gsub("a",""),s:match("(b-)a")',
  ]
  const define = (value) => {
    const text = value()
    return `local v${vars++}=${text} `
  }
  const statement = () =>
    one(
      () => define(lib),
      () => define(lib),
      () => define(call),
      () => define(any),
      () => `if ${any()} then ${call()} else ${call()} end `.replaceAll(/(then|else) (sorted|redis)/g, '$1 local r=$2'),
      () => `for i=${pick(SMALL)},${pick(SMALL)}${roll(3) ? '' : `,${pick(['1', '-1', '2', '0.5'])}`} do local r=${call()} end `,
      () => `for k,v in pairs(${pick(['KEYS', 'ARGV', '{1,2,3}', '{a=1}', any()])}) do if k~='ignore_error_stats_update' then redis.pcall('APPEND','s',ts(k)) end end `,
      () => `do local ok,e=pcall(function() return ${lib()} end) redis.pcall('RPUSH','l',all(ok,e)) end `,
    ) // prettier-ignore

  /** A program that goes on whatever fails, and returns what came of each of its steps. */
  const long = (steps) => {
    vars = 0
    let text = `${SHOW}${SORTED}local out={} local function step(f) out[#out+1]=all(pcall(f)) end `
    for (let n = 0; n < steps; n++)
      text += `step(function() ${recursion() ?? `return ${pick([lib, lib, call, any])()}`} end) `
    return `${text}return out`
  }
  const recursion = () => {
    if (roll(25)) return undefined
    const deep = pick(['0', '1', '5', '50', '100', '150', '180', '220', '300', '1000', '3000', '8000', '20000'])
    return pick(RECURSIONS).replaceAll('DEEP', deep)
  }
  /** One that ends with what fails. */
  const short = (steps) => {
    vars = 0
    let text = SHOW + SORTED
    for (let n = 1; n < steps; n++) text += statement()
    const last = roll(3) ? lib() : call()
    // What programs return, not what they print, is of chance too: what a server makes of it is compared as well.
    if (roll(4)) return `${text}return all(${last})`
    if (roll(3)) return `${text}return ${last}`
    return text + (roll(2) ? `return {${any()},${any()},${last}}` : `error(${pick(RAISED)})`)
  }

  return {
    /** One program, and how many steps it has. */
    program() {
      const steps = roll(2) ? 1 + roll(4) : 10 + roll(31)
      return { steps, text: steps > 4 ? long(steps) : short(steps) }
    },
    roll,
  }
}

/** Programs that never end by themselves, or not within minutes: a hook of Lua ends these. */
export const ENDLESS = [
  'while true do end',
  'repeat until false',
  'while true do pcall(function() while true do end end) end',
  "while true do redis.pcall('GET','s') end",
  "while true do redis.call('APPEND','a','x') end",
  'coroutine.wrap(function() while true do end end)()',
  'local function f() return f() end return f()',
  'local t=setmetatable({},{__index=function(t,k) while true do end end}) return t.x',
  'table.sort({3,1,2},function() while true do end end)',
  "string.gsub('x','x',function() while true do end end)",
  'while true do local s=string.rep("x",10000) end',
  'while true do local t={} for i=1,100 do t[i]={} end end',
  'xpcall(function() while true do end end,function() while true do end end)',
  'while true do coroutine.resume(coroutine.create(function() error("x") end)) end',
  'for i=1,math.huge do end',
  'local s="" while true do s=(s..tostring(#s)):sub(-100) end',
]

/** The same within C, where no hook reaches them; each ends by itself after a second or two. */
export const STUCK = [
  "return string.find(string.rep('a',230),string.rep('.-',3)..'b')",
  "return string.gsub(string.rep('a',230),string.rep('.-',3)..'b','')",
  "return pcall(string.match,string.rep('a',230),string.rep('a-',3)..'b')",
]

/** Programs that want more memory than the embedded engine gives to one. */
export const HUNGRY = [
  "return #string.rep('x',2^31-1)",
  "local t={} while true do t[#t+1]=string.rep('x',1000000)..#t end",
  "local s='x' while true do s=s..s end",
  'local t={} while true do t[#t+1]={} end',
]
