//! Removes callers' data from error replies. Servers, and proxies in front of them, repeat parts of the request in errors:
//! passwords, session ids, whole documents. So quoted text is left only if it is a known name, lists of arguments are cut off,
//! and pieces of the request are searched for in the reply.

use std::{borrow::Cow, sync::LazyLock};

use super::secrets;

/// The placeholder for removed text.
pub const HIDDEN: &str = "…";

/// Markers after which a server repeats the request.
const REPEATS: [&str; 4] = ["with args beginning with", "with args:", "command was:", "args beginning with"];

/// Quoted text after these is the name of a command or part of a script's source, not a value.
const BEFORE_NAMES: [&str; 12] = [
    "unknown command ",
    "unknown subcommand ",
    "for ",
    "run the ",
    "variable ",
    "local ",
    "global ",
    "field ",
    "upvalue ",
    "method ",
    "to ",
    "function ",
];

/// Fixed words of servers and of Lua.
const KNOWN: [&str; 25] = [
    "maxmemory",
    "no",
    "yes",
    "stop-writes-on-bgsave-error",
    "replica-serve-stale-data",
    "slave-serve-stale-data",
    "and",
    "break",
    "do",
    "else",
    "elseif",
    "end",
    "false",
    "for",
    "function",
    "if",
    "in",
    "local",
    "nil",
    "not",
    "or",
    "repeat",
    "return",
    "then",
    "true",
];

/// Shorter pieces of the request are not considered secret: they may be words of any sentence.
const SHORTEST: usize = 4;
/// A word of this length is considered an id, even if it consists of lower-case letters only.
const LONG: usize = 20;

/// Removes everything that may be a caller's data, and all known secrets.
pub fn redacted(text: Cow<'static, str>) -> Cow<'static, str> {
    let text = secrets::redacted(without_user(without_args(text)));
    if text.contains(['\'', '"', '`']) { without_quoted(&text).into() } else { text }
}

/// Removes pieces of these arguments; `None` if the text contains none.
pub fn redacted_args<'a>(text: &str, args: impl Iterator<Item = &'a [u8]> + Clone) -> Option<String> {
    let mut hidden = None::<String>;
    // The first word is the error code.
    let (code, detail) = text.split_at(text.find(' ').unwrap_or(text.len()));
    for arg in args.clone().filter(|arg| arg.len() < text.len()).filter_map(|arg| std::str::from_utf8(arg).ok()) {
        if is_sensitive(arg) && detail.contains(arg) {
            let detail = hidden.as_deref().and_then(|hidden| hidden.strip_prefix(code)).unwrap_or(detail);
            hidden = Some(format!("{code}{}", detail.replace(arg, HIDDEN)));
        }
    }
    let words = detail.split(|c: char| !is_word_char(c)).map(|word| word.trim_matches(is_punctuation));
    for word in words {
        let contains_word = |arg: &[u8]| memchr::memmem::find(arg, word.as_bytes()).is_some();
        if is_sensitive(word) && args.clone().any(contains_word) {
            hidden = Some(hidden.as_deref().unwrap_or(text).replace(word, HIDDEN));
        }
    }
    hidden
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || "_-.@:/+=~%{}|".contains(c)
}

fn is_punctuation(c: char) -> bool {
    ".:-/=".contains(c)
}

/// Whether a word may be an id, an address, a number or a name rather than a word of a sentence.
fn is_sensitive(word: &str) -> bool {
    let plain = |(at, c): (usize, char)| c.is_lowercase() || (at == 0 && c.is_uppercase());
    // Upper-case words are names of options.
    let upper = word.chars().all(|c| c.is_ascii_uppercase());
    word.len() >= SHORTEST && (word.len() >= LONG || !(upper || word.char_indices().all(plain)))
}

fn without_args(text: Cow<'static, str>) -> Cow<'static, str> {
    static FINDERS: LazyLock<Vec<memchr::memmem::Finder<'static>>> =
        LazyLock::new(|| REPEATS.iter().map(memchr::memmem::Finder::new).collect());
    match FINDERS.iter().filter_map(|marker| marker.find(text.as_bytes())).min() {
        Some(at) => text.get(..at).unwrap_or_default().trim_end_matches([' ', ',', ':']).to_owned().into(),
        None => text,
    }
}

/// Removes the user's name from `NOPERM User app has no permissions …`.
fn without_user(text: Cow<'static, str>) -> Cow<'static, str> {
    let named = |text: &str| {
        let (before, rest) = text.split_once("User ")?;
        let at = rest.find(" has no permissions")?;
        (before.is_empty() || before.ends_with([' ', ':'])).then(|| format!("{before}this user{}", &rest[at..]))
    };
    match named(&text) {
        Some(redacted) => redacted.into(),
        None => text,
    }
}

fn without_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = opening(rest, out.chars().next_back()) {
        let (before, quoted) = rest.split_at(at);
        out.push_str(before);
        let quote = &quoted[..1];
        match closing(&quoted[1..], quote) {
            Some(length) => {
                let (inside, after) = (&quoted[1..=length], &quoted[length + 2..]);
                let shown = if is_name(&out, inside, after) { inside } else { HIDDEN };
                out.extend([quote, shown, quote]);
                rest = after;
            }
            None => {
                out.extend([quote, HIDDEN]);
                return out;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Returns where a quotation begins: at a quote that is not an apostrophe.
fn opening(text: &str, before: Option<char>) -> Option<usize> {
    let mut last = before;
    text.char_indices().find_map(|(at, c)| {
        let opens = matches!(c, '\'' | '"' | '`') && !last.is_some_and(char::is_alphanumeric);
        last = Some(c);
        opens.then_some(at)
    })
}

/// Returns the length of a quotation, which ends at the first such quote that is not followed by a word or another quote.
fn closing(text: &str, quote: &str) -> Option<usize> {
    let ends = |at: usize| !text[at + 1..].starts_with(|c: char| c.is_alphanumeric() || "'\"`".contains(c));
    text.match_indices(quote).map(|(at, _)| at).find(|&at| ends(at))
}

fn is_name(before: &str, inside: &str, after: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.|".contains(c);
    let named = BEFORE_NAMES.iter().any(|name| before.ends_with(name)) || after.starts_with(" command");
    let sign = !inside.is_empty() && inside.len() <= 2 && inside.chars().all(|c| c.is_ascii_punctuation());
    let short = !inside.is_empty() && inside.len() <= 64 && inside.chars().all(is_word);
    KNOWN.contains(&inside) || sign || (named && short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(text: &str) -> String {
        redacted(text.to_owned().into()).into_owned()
    }

    #[test]
    fn sent_data_is_not_repeated() {
        for (reply, expected) in [
            ("ERR unknown command 'AUTH', with args beginning with: 'app' 'hunter2' ", "ERR unknown command 'AUTH'"),
            (
                "ERR unknown command `EVALSHA`, with args beginning with: `1`, `session:ID`, ",
                "ERR unknown command `EVALSHA`",
            ),
            (
                "ERR Error in ACL SETUSER modifier '>hunter2': Syntax error",
                "ERR Error in ACL SETUSER modifier '…': Syntax error",
            ),
            (
                "NOGROUP No such key 'session:ID' or consumer group 'g' in XREADGROUP with GROUP option",
                "NOGROUP No such key '…' or consumer group '…' in XREADGROUP with GROUP option",
            ),
            ("NOPERM No permissions to access the 'session:ID' key", "NOPERM No permissions to access the '…' key"),
            (
                "NOPERM User ada has no permissions to run the 'get' command",
                "NOPERM this user has no permissions to run the 'get' command",
            ),
            ("ERR Unsupported option 'it's \"so\"'", "ERR Unsupported option '…'"),
            ("ERR bad 'ada@example.com", "ERR bad '…"),
            ("ERR user_script:1: near '\"ID\"'", "ERR user_script:1: near '…'"),
        ] {
            assert_eq!(redact(reply), expected);
        }
    }

    #[test]
    fn fixed_texts_are_unchanged() {
        for reply in [
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "ERR wrong number of arguments for 'config|get' command",
            "ERR unknown subcommand 'foo'. Try CLIENT HELP.",
            "ERR user_script:1: Script attempted to access nonexistent global variable 'nope' script: 5e95, on @user_script:1.",
            "ERR user_script:1: bad argument #1 to 'unpack' (table expected, got number)",
            "ERR user_script:9: 'for' limit must be a number",
            "ERR user_script:1: '=' expected near '…'",
        ] {
            assert_eq!(redact(reply), reply);
        }
    }

    #[test]
    fn sent_data_is_found_without_quotes() {
        let args: [&[u8]; 3] = [b"session:THE-ID", b"{\"email\":\"ada@example.com\",\"name\":\"value\"}", b"token42"];
        let redact = |text| redacted_args(text, args.iter().copied());
        assert_eq!(redact("ERR no session THE-ID here").as_deref(), Some("ERR no session … here"));
        assert_eq!(redact("ERR value of ada@example.com: token42.").as_deref(), Some("ERR value of …: …."));
        assert_eq!(redact("ERR value is no name"), None, "words of a sentence stay");
    }

    #[test]
    fn no_text_causes_a_panic() {
        for text in ["", "'", "''", "'ä", "ä'ä'", "`'\"", "'ä' 'ö", "User  has no permissions", "x 'a'b' c"] {
            redact(text);
        }
    }
}
