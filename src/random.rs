//! Random bytes from the system's generator, and what is made of them.

use std::sync::LazyLock;

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, Kind, Result};

static SYSTEM: LazyLock<SystemRandom> = LazyLock::new(SystemRandom::new);

/// `N` random bytes.
///
/// # Errors
/// `E_INTERNAL` when the system has none to give; nothing weaker takes their place.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SYSTEM.fill(&mut bytes).map_err(|_| Error::new(Kind::Internal, "the system gives no random numbers"))?;
    Ok(bytes)
}

/// A number from 0 up to, not including, 1. For jitter only: where the system has no randomness it is one half.
pub fn fraction() -> f64 {
    bytes::<4>().map_or(0.5, |bytes| f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0))
}

/// `N` random bytes as `2 × N` lowercase hexadecimal digits.
///
/// # Errors
/// As for `bytes`.
pub fn hex<const N: usize>() -> Result<String> {
    Ok(to_hex(&bytes::<N>()?))
}

/// Lowercase hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[digit as usize])).collect()
}
