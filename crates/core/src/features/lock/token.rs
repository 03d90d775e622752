//! The tokens of holders: random, with what a person who looks at the store wants to know.

use cinnabar_port::{
    error::{Error, Result},
    random,
};

/// What the token of a reader begins with, as does the value of a lock that readers hold. The scripts know it too.
const READER: &str = "read:";
/// How many hexadecimal digits a token has.
const DIGITS: usize = 32;
const MAX_HOLDER_BYTES: usize = 128;

/// Whom a lock excludes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Every other caller.
    #[default]
    Write,
    /// Every caller but readers.
    Read,
}

/// Returns a new token for a holder with this name.
///
/// # Errors
/// `E_INTERNAL` without random numbers.
pub fn new(mode: Mode, holder: &str) -> Result<String> {
    let reader = match mode {
        Mode::Write => "",
        Mode::Read => READER,
    };
    Ok(format!("{reader}{}:{holder}", random::hex::<{ DIGITS / 2 }>()?))
}

/// Whether this is the token of a reader.
pub fn is_reader(token: &str) -> bool {
    token.starts_with(READER)
}

/// Whether a lock with this value may be held with this token. Readers have another value in common.
pub fn is_holder(value: &[u8], token: &str) -> bool {
    if is_reader(token) { value.starts_with(READER.as_bytes()) } else { value == token.as_bytes() }
}

/// Returns the name of the holder with this token, if it has one.
pub fn holder_of(token: &str) -> Option<&str> {
    let (digits, name) = token.strip_prefix(READER).unwrap_or(token).split_once(':')?;
    (digits.len() == DIGITS).then_some(name)
}

/// Checks the name of a holder, and returns it; the machine and process without one.
///
/// # Errors
/// `E_INVALID_SETTINGS` if it is empty, has control characters or more than 128 bytes.
pub fn checked_holder(name: Option<String>) -> Result<String> {
    let Some(name) = name else {
        return Ok(format!("{}:{}", gethostname::gethostname().to_string_lossy(), std::process::id()));
    };
    if name.is_empty() || name.len() > MAX_HOLDER_BYTES || name.chars().any(char::is_control) {
        return Err(Error::settings(format!(
            "holder must have 1 to {MAX_HOLDER_BYTES} bytes and no control characters"
        )));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_name_of_its_holder() {
        for mode in [Mode::Write, Mode::Read] {
            let token = new(mode, "web-1:4711").unwrap();
            assert_eq!((is_reader(&token), holder_of(&token)), (mode == Mode::Read, Some("web-1:4711")));
        }
        for token in ["", "0123456789abcdef0123456789abcdef", "of:another", "read:", "readers"] {
            assert_eq!(holder_of(token), None, "{token:?}");
        }
    }

    #[test]
    fn a_holder_has_a_name() {
        assert!(checked_holder(None).unwrap().ends_with(&format!(":{}", std::process::id())));
        assert_eq!(checked_holder(Some("é".into())).unwrap(), "é");
        for name in ["".to_owned(), "a\nb".into(), "x".repeat(129)] {
            checked_holder(Some(name)).unwrap_err();
        }
    }
}
