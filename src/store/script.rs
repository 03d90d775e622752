//! Lua scripts: one file each, run atomically by either engine.

use std::sync::OnceLock;

/// A script with the names Redis knows it by.
#[derive(Debug)]
pub struct Script {
    /// Where the file lies under `src/features`, such as `lock/release.lua`.
    pub name: &'static str,
    /// The Lua text, as in the file.
    pub source: &'static str,
    /// How many keys it takes; the rest are arguments.
    pub keys: usize,
    /// How many arguments it takes.
    pub args: usize,
    sha: OnceLock<String>,
    many: OnceLock<(String, String)>,
}

impl Script {
    /// Use the `script!` macro.
    pub const fn new(name: &'static str, source: &'static str, keys: usize, args: usize) -> Self {
        Self { name, source, keys, args, sha: OnceLock::new(), many: OnceLock::new() }
    }

    /// The SHA-1 that EVALSHA takes, in hexadecimal.
    pub fn sha(&self) -> &str {
        self.sha.get_or_init(|| sha1_smol::Sha1::from(self.source).digest().to_string())
    }

    /// The same script for many items in one call, and its SHA-1.
    ///
    /// KEYS and ARGV hold the items one behind the other. The answer is two elements an item: `1, reply`, or `0, message`
    /// where that item failed: the others are not harmed, exactly as if each had been a call of its own.
    pub fn many(&self) -> (&str, &str) {
        let (source, sha) = self.many.get_or_init(|| {
            let source = many(self.source, self.keys, self.args);
            let sha = sha1_smol::Sha1::from(&source).digest().to_string();
            (source, sha)
        });
        (source, sha)
    }
}

/// Declares a script: `script!(RELEASE = "lock/release.lua", keys: 1, args: 1);`
macro_rules! script {
    ($name:ident = $file:literal, keys: $keys:literal, args: $args:literal) => {
        #[doc = concat!("The script in `", $file, "`.")]
        pub static $name: $crate::store::Script = $crate::store::Script::new(
            $file,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/features/", $file)),
            $keys,
            $args,
        );
    };
}
pub(crate) use script;

fn many(source: &str, keys: usize, args: usize) -> String {
    format!(
        "local function item(KEYS, ARGV)
{source}
end
local keys, args, out = {{}}, {{}}, {{}}
for i = 1, #KEYS / {keys} do
  for j = 1, {keys} do keys[j] = KEYS[(i - 1) * {keys} + j] end
  for j = 1, {args} do args[j] = ARGV[(i - 1) * {args} + j] end
  local ok, reply = pcall(item, keys, args)
  if not ok then
    out[2 * i - 1], out[2 * i] = 0, type(reply) == 'table' and reply.err or tostring(reply)
  elseif reply == nil then
    out[2 * i - 1], out[2 * i] = 1, false
  else
    out[2 * i - 1], out[2 * i] = 1, reply
  end
end
return out
"
    )
}
