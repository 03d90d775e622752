//! Lua scripts: one file each, run atomically by either engine.

use std::sync::OnceLock;

/// A script with the names Redis knows it by.
#[derive(Debug)]
pub struct Script {
    /// Where the file lies under `src/features`, such as `lock/release.lua`.
    pub name: &'static str,
    /// How many keys it takes; the rest are arguments.
    pub keys: usize,
    /// How many arguments it takes; 0 when their number varies.
    pub args: usize,
    /// The Lua text, as in the file.
    body: &'static str,
    shared: &'static [Part],
    end: &'static str,
    whole: OnceLock<(String, String)>,
    many: OnceLock<(String, String)>,
}

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
        Self { name, keys, args, body, shared, end, whole: OnceLock::new(), many: OnceLock::new() }
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
    /// KEYS and ARGV hold the items one behind the other; where all have the same keys, these may be there once. The answer is two elements an item: `1, reply`, or `0, message`
    /// where that item failed: the others are not harmed, exactly as if each had been a call of its own.
    pub fn many(&self) -> (&str, &str) {
        let (source, sha) = self.many.get_or_init(|| named(self.for_many()));
        (source, sha)
    }

    fn prelude(&self) -> String {
        self.shared.iter().map(|(_, text)| *text).collect()
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
        let items = if *args > 0 { format!("#ARGV / {args}") } else { format!("#KEYS / {keys}") };
        format!(
            "{prelude}local function item(KEYS, ARGV)
{body}
end
local keys, args, reply = {{}}, {{}}, {{}}
for i = 1, {items} do
  for j = 1, {keys} do keys[j] = KEYS[((i - 1) * {keys} + j - 1) % #KEYS + 1] end
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
/// behind `with`; a statement for the end of each run behind `end`.
macro_rules! script {
    (
        $name:ident = $file:literal, keys: $keys:literal, args: $args:literal
        $(, with: [$($part:literal),+ $(,)?])? $(, end: $end:literal)?
    ) => {
        #[doc = concat!("The script in `", $file, "`.")]
        pub static $name: $crate::store::Script = $crate::store::Script::made_of(
            $file,
            $crate::store::lua!($file),
            &[$($(($part, $crate::store::lua!($part))),+)?],
            concat!("" $(, $end)?),
            $keys,
            $args,
        );
    };
}
pub(crate) use script;

/// The text of a file under `src/features`.
macro_rules! lua {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/features/", $file))
    };
}
pub(crate) use lua;
