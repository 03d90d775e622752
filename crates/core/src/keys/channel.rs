//! Names of channels.
//!
//! The channels of a server are not separated by database. So channels of database 0 keep their names, and those of other
//! databases are prefixed with its number, which callers never see. Names that start with `__`, such as
//! `__keyevent@1__:expired`, belong to the server and are not prefixed.

use bytes::Bytes;

const DATABASE: &[u8] = b"cinnabar:db";

/// Returns the name on the server of a channel or pattern in a database.
pub fn channel(database: u8, name: Bytes) -> Bytes {
    if database == 0 || name.starts_with(b"__") {
        return name;
    }
    [DATABASE, database.to_string().as_bytes(), b":", &name].concat().into()
}

/// Returns the caller's name of a channel. `None` for a channel of another database, which a pattern may have matched.
pub fn caller_channel(database: u8, name: &Bytes) -> Option<Bytes> {
    let Some(rest) = name.strip_prefix(DATABASE) else { return Some(name.clone()) };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at(digits);
    match (number, rest.strip_prefix(b":")) {
        (b"", _) | (_, None) => Some(name.clone()),
        (number, Some(rest)) => (number == database.to_string().as_bytes()).then(|| name.slice_ref(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_has_its_own_name_in_its_own_database() {
        let name = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert_eq!(channel(0, name("prism:events")), "prism:events");
        assert_eq!(channel(3, name("prism:*")), "cinnabar:db3:prism:*");
        assert_eq!(channel(3, name("__keyevent@3__:expired")), "__keyevent@3__:expired");
        assert_eq!(caller_channel(3, &channel(3, name("prism:events"))), Some(name("prism:events")));
        assert_eq!(caller_channel(3, &channel(3, name(""))), Some(name("")));
        for (database, foreign) in [(0, "cinnabar:db3:x"), (3, "cinnabar:db31:x"), (31, "cinnabar:db3:x")] {
            assert_eq!(caller_channel(database, &name(foreign)), None);
        }
        for own in ["cinnabar:db", "cinnabar:db:x", "cinnabar:db3", "cinnabar:dbx:y", "x"] {
            assert_eq!(caller_channel(0, &name(own)), Some(name(own)));
        }
    }
}
