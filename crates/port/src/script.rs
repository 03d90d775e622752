//! Lua scripts: one file each, executed atomically by both engines.

use std::sync::OnceLock;

/// A script, with its text and SHA-1 in both forms: for one item and for many.
#[derive(Debug)]
pub struct Script {
    /// Its file, relative to `src/features` of its crate, such as `lock/release.lua`.
    pub name: &'static str,
    /// The number of keys of an item.
    pub keys: usize,
    /// The number of arguments of an item; 0 if it varies.
    pub args: usize,
    /// The Lua text, as in the file.
    body: &'static str,
    shared: &'static [SharedLua],
    end: &'static str,
    /// Whether all items of a run have the same keys. Further keys after these declare those that the script computes; it does not
    /// read them by position.
    pub same_keys: bool,
    /// Whether it uses keys that cannot be declared, because it computes them from stored data. All begin with its first key.
    pub undeclared_keys: bool,
    whole: OnceLock<(String, String)>,
    many: OnceLock<(String, String)>,
}

/// Makes Dragonfly, which rejects access to undeclared keys, run such a script; other servers see a comment. It must be the first
/// line.
const UNDECLARED_KEYS_FLAG: &str = "--!df flags=allow-undeclared-keys\n";

/// Commands that many scripts need only in rare cases.
const RARE: &[&str] = &["PTTL", "TIME"];

/// Commands that change nothing.
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

/// A file of functions that several scripts share: its name and text.
pub type SharedLua = (&'static str, &'static str);

impl Script {
    /// Creates a script without shared files.
    pub const fn new(name: &'static str, body: &'static str, keys: usize, args: usize) -> Self {
        Self::with_parts(name, body, &[], "", keys, args)
    }

    /// Creates a script that is preceded by these shared files. The statement `end` is executed once at the end of each run, for
    /// however many items, with the reply of the run in `reply`. Use the `script!` macro.
    pub const fn with_parts(
        name: &'static str,
        body: &'static str,
        shared: &'static [SharedLua],
        end: &'static str,
        keys: usize,
        args: usize,
    ) -> Self {
        let whole = OnceLock::new();
        let many = OnceLock::new();
        Self { name, keys, args, body, shared, end, same_keys: false, undeclared_keys: false, whole, many }
    }

    /// Marks all items of a run as having the same keys.
    pub const fn same_keys(mut self) -> Self {
        self.same_keys = true;
        self
    }

    /// Marks it as using keys that cannot be declared.
    pub const fn undeclared_keys(mut self) -> Self {
        self.undeclared_keys = true;
        self
    }

    /// Returns the number of items in a run with this many keys and arguments.
    pub fn items(&self, keys: usize, args: usize) -> usize {
        args.checked_div(self.args).unwrap_or_else(|| keys / self.keys.max(1))
    }

    /// Returns the names of its shared files.
    pub fn shared(&self) -> impl Iterator<Item = &'static str> {
        self.shared.iter().map(|(name, _)| *name)
    }

    /// Returns the Lua text for one item, and its SHA-1 in hexadecimal for EVALSHA.
    pub fn whole(&self) -> (&str, &str) {
        let (source, sha) = self.whole.get_or_init(|| with_sha(self.for_one()));
        (source, sha)
    }

    /// Returns the Lua text for many items in one run, and its SHA-1.
    ///
    /// KEYS and ARGV contain the items in order; if all have the same keys, these are given once. The reply has two elements per
    /// item: `1, reply`, or `0, message` if that item failed. The other items are not affected, exactly as if each had been a run of
    /// its own.
    pub fn many(&self) -> (&str, &str) {
        let (source, sha) = self.many.get_or_init(|| with_sha(self.for_many()));
        (source, sha)
    }

    fn prelude(&self) -> String {
        let flag = if self.undeclared_keys { UNDECLARED_KEYS_FLAG } else { "" };
        let guard = self.guard();
        [flag, &guard].into_iter().chain(self.shared.iter().map(|(_, text)| *text)).collect()
    }

    /// Returns Lua that fails before anything is changed if the user lacks the permission for any of its commands: a server would
    /// execute the script up to the first of those. Empty for scripts that cannot end halfway. Servers before Redis 7 cannot be asked.
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

    /// Returns the commands that it requires; those called by `pcall` may fail.
    fn commands(&self) -> Vec<&'static str> {
        let texts = self.shared.iter().map(|(_, text)| *text).chain([self.body, self.end]);
        let calls = texts.flat_map(|text| text.split("redis.call('").skip(1));
        let mut names: Vec<_> = calls.filter_map(|call| call.split('\'').next()).collect();
        names.retain(|name| !RARE.contains(name));
        names.sort_unstable();
        names.dedup();
        names
    }

    fn for_one(&self) -> String {
        let (prelude, body, end) = (self.prelude(), self.body, self.end);
        if end.is_empty() {
            return prelude + body;
        }
        format!("{prelude}local function item()\n{body}\nend\nlocal reply = item()\n{end}\nreturn reply\n")
    }

    fn for_many(&self) -> String {
        let Self { keys, args, body, end, .. } = self;
        let prelude = self.prelude();
        let from = if self.same_keys { "j".to_owned() } else { format!("(i - 1) * {keys} + j") };
        let items = if *args > 0 { format!("#ARGV / {args}") } else { format!("#KEYS / {keys}") };
        format!(
            "{prelude}local function item(KEYS, ARGV)
{body}
end
local keys, args, reply = {{}}, {{}}, {{}}
for i = 1, {items} do
  for j = 1, {keys} do keys[j] = KEYS[{from}] end
  for j = 1, {args} do args[j] = ARGV[(i - 1) * {args} + j] end
  local ok, result = pcall(item, keys, args)
  if not ok then
    reply[2 * i - 1], reply[2 * i] = 0, type(result) == 'table' and result.err or tostring(result)
  elseif result == nil then
    reply[2 * i - 1], reply[2 * i] = 1, false
  else
    reply[2 * i - 1], reply[2 * i] = 1, result
  end
end
{end}
return reply
"
        )
    }
}

fn with_sha(source: String) -> (String, String) {
    let sha = sha1_smol::Sha1::from(&source).digest().to_string();
    (source, sha)
}

/// Declares a script: `script!(RELEASE = "lock/release.lua", keys: 1, args: 1);`. `with` lists shared files, `end` is a statement for
/// the end of each run, and `is` lists flags.
#[macro_export]
macro_rules! script {
    (
        $name:ident = $file:literal, keys: $keys:literal, args: $args:literal
        $(, is: [$($is:ident),+])? $(, with: [$($part:literal),+ $(,)?])? $(, end: $end:literal)?
    ) => {
        #[doc = concat!("The script in `", $file, "`.")]
        pub static $name: $crate::Script = $crate::Script::with_parts(
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

/// The text of a file under `src/features` of the calling crate.
#[macro_export]
macro_rules! lua {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/features/", $file))
    };
}
