//! Lua scripts: one file each, run atomically by either engine.

use std::sync::OnceLock;

/// A script with the names Redis knows it by.
#[derive(Debug)]
pub struct Script {
    /// Where the file lies under `src/features` of its crate, such as `lock/release.lua`.
    pub name: &'static str,
    /// How many keys it takes; the rest are arguments.
    pub keys: usize,
    /// How many arguments it takes; 0 when their number varies.
    pub args: usize,
    /// The Lua text, as in the file.
    body: &'static str,
    shared: &'static [Part],
    end: &'static str,
    /// Whether all items of a run have the same keys. More may stand behind these, which the script does not look at: they say
    /// which keys it uses that it computes.
    pub keyed_once: bool,
    /// Whether it uses keys that nobody can name before it runs, because it finds there what they are of. All begin with its
    /// first key.
    pub finding: bool,
    whole: OnceLock<(String, String)>,
    many: OnceLock<(String, String)>,
}

/// Has Dragonfly, which refuses keys that were not named, run such a script all the same; a comment to any other server. It has to
/// be the first line.
const FINDING: &str = "--!df flags=allow-undeclared-keys\n";

/// Commands that many scripts need only for what seldom happens.
const RARE: &[&str] = &["PTTL", "TIME"];

/// Commands of scripts that change nothing.
const READS: &[&str] = &[
    "EXISTS",
    "GET",
    "HEXISTS",
    "HGET",
    "HKEYS",
    "HLEN",
    "HMGET",
    "LINDEX",
    "LLEN",
    "LRANGE",
    "PEXPIRETIME",
    "SCARD",
    "SRANDMEMBER",
    "ZCARD",
    "ZRANGE",
    "ZRANGEBYSCORE",
    "ZREVRANGE",
    "ZSCORE",
];

/// Functions that several scripts share: name and text of a file.
pub type Part = (&'static str, &'static str);

impl Script {
    /// A script whose text stands for itself.
    pub const fn new(name: &'static str, body: &'static str, keys: usize, args: usize) -> Self {
        Self::made_of(name, body, &[], "", keys, args)
    }

    /// A script with these files before it, and this statement at the end of each run, however many items it had: what is
    /// gathered item by item may be done there at once. `reply` is what the run answers. Use the `script!` macro.
    pub const fn made_of(
        name: &'static str,
        body: &'static str,
        shared: &'static [Part],
        end: &'static str,
        keys: usize,
        args: usize,
    ) -> Self {
        let whole = OnceLock::new();
        let many = OnceLock::new();
        Self { name, keys, args, body, shared, end, keyed_once: false, finding: false, whole, many }
    }

    /// The same, where all items of a run have the same keys.
    pub const fn keyed_once(mut self) -> Self {
        self.keyed_once = true;
        self
    }

    /// The same, where it uses keys that nobody can name before it runs.
    pub const fn finding(mut self) -> Self {
        self.finding = true;
        self
    }

    /// How many items have so many keys and arguments.
    pub fn items(&self, keys: usize, args: usize) -> usize {
        args.checked_div(self.args).unwrap_or_else(|| keys / self.keys.max(1))
    }

    /// The files it shares with other scripts.
    pub fn shared(&self) -> impl Iterator<Item = &'static str> {
        self.shared.iter().map(|(name, _)| *name)
    }

    /// The Lua text as a server gets it, and the SHA-1 of it that EVALSHA takes, in hexadecimal.
    pub fn whole(&self) -> (&str, &str) {
        let (source, sha) = self.whole.get_or_init(|| named(self.one()));
        (source, sha)
    }

    /// The same script for many items in one call, and its SHA-1.
    ///
    /// KEYS and ARGV hold the items one behind the other; where all have the same keys, these are there once. The answer is two
    /// elements an item: `1, reply`, or `0, message` where that item failed: the others are not harmed, exactly as if each had
    /// been a call of its own.
    pub fn many(&self) -> (&str, &str) {
        let (source, sha) = self.many.get_or_init(|| named(self.for_many()));
        (source, sha)
    }

    fn prelude(&self) -> String {
        let flag = if self.finding { FINDING } else { "" };
        let guard = self.guard();
        [flag, &guard].into_iter().chain(self.shared.iter().map(|(_, text)| *text)).collect()
    }

    /// Refuses the script before it changes anything if the user may not run all its commands: a server would run it up to the
    /// first of those. Empty for scripts that cannot be ended in between. Servers before Redis 7 cannot be asked.
    fn guard(&self) -> String {
        let names = self.commands();
        if self.keys == 0 || names.len() < 2 || names.iter().all(|name| READS.contains(name)) {
            return String::new();
        }
        let denied: Vec<_> = names.iter().map(|name| format!("not may('{name}', KEYS[1]) and '{name}'")).collect();
        format!(
            "do
  local may = redis.acl_check_cmd
  local denied = may and ({})
  if denied then
    return redis.error_reply(\"NOPERM this user has no permissions to run the '\" .. string.lower(denied) .. \"' command\")
  end
end
",
            denied.join(" or ")
        )
    }

    /// The commands that it cannot do without; what it runs by `pcall` may fail.
    fn commands(&self) -> Vec<&'static str> {
        let texts = self.shared.iter().map(|(_, text)| *text).chain([self.body, self.end]);
        let calls = texts.flat_map(|text| text.split("redis.call('").skip(1));
        let mut names: Vec<_> = calls.filter_map(|call| call.split('\'').next()).collect();
        names.retain(|name| !RARE.contains(name));
        names.sort_unstable();
        names.dedup();
        names
    }

    fn one(&self) -> String {
        let (prelude, body, end) = (self.prelude(), self.body, self.end);
        if end.is_empty() {
            return prelude + body;
        }
        format!("{prelude}local function item()\n{body}\nend\nlocal reply = item()\n{end}\nreturn reply\n")
    }

    fn for_many(&self) -> String {
        let Self { keys, args, body, end, .. } = self;
        let prelude = self.prelude();
        let from = if self.keyed_once { "j".to_owned() } else { format!("(i - 1) * {keys} + j") };
        let items = if *args > 0 { format!("#ARGV / {args}") } else { format!("#KEYS / {keys}") };
        format!(
            "{prelude}local function item(KEYS, ARGV)
{body}
end
local keys, args, reply = {{}}, {{}}, {{}}
for i = 1, {items} do
  for j = 1, {keys} do keys[j] = KEYS[{from}] end
  for j = 1, {args} do args[j] = ARGV[(i - 1) * {args} + j] end
  local ok, answer = pcall(item, keys, args)
  if not ok then
    reply[2 * i - 1], reply[2 * i] = 0, type(answer) == 'table' and answer.err or tostring(answer)
  elseif answer == nil then
    reply[2 * i - 1], reply[2 * i] = 1, false
  else
    reply[2 * i - 1], reply[2 * i] = 1, answer
  end
end
{end}
return reply
"
        )
    }
}

fn named(source: String) -> (String, String) {
    let sha = sha1_smol::Sha1::from(&source).digest().to_string();
    (source, sha)
}

/// Declares a script: `script!(RELEASE = "lock/release.lua", keys: 1, args: 1);`. Files that it shares with others are named
/// behind `with`; a statement for the end of each run behind `end`; behind `is`, what else is true of it.
#[macro_export]
macro_rules! script {
    (
        $name:ident = $file:literal, keys: $keys:literal, args: $args:literal
        $(, is: [$($is:ident),+])? $(, with: [$($part:literal),+ $(,)?])? $(, end: $end:literal)?
    ) => {
        #[doc = concat!("The script in `", $file, "`.")]
        pub static $name: $crate::Script = $crate::Script::made_of(
            $file,
            $crate::lua!($file),
            &[$($(($part, $crate::lua!($part))),+)?],
            concat!("" $(, $end)?),
            $keys,
            $args,
        )
        $($(.$is())+)?;
    };
}

/// The text of a file under `src/features` of the crate that names it.
#[macro_export]
macro_rules! lua {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/features/", $file))
    };
}
