//! Random bytes from the system's generator, and what is made of them.

use std::{cell::RefCell, sync::LazyLock};

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, Kind, Result};

static SYSTEM: LazyLock<SystemRandom> = LazyLock::new(SystemRandom::new);

/// How many bytes are drawn from the system at once. Asking it costs more than all else about making an id.
const DRAWN: usize = 512;

thread_local! {
    static DRAWER: RefCell<Drawer> = const { RefCell::new(Drawer { bytes: [0; DRAWN], left: 0 }) };
}

/// Random bytes of the system that nobody has had yet.
struct Drawer {
    bytes: [u8; DRAWN],
    left: usize,
}

impl Drawer {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        const { assert!(N <= DRAWN) };
        if self.left < N {
            self.left = 0;
            SYSTEM
                .fill(&mut self.bytes)
                .map_err(|_| Error::new(Kind::Internal, "the system gives no random numbers"))?;
            self.left = DRAWN;
        }
        let from = self.left - N;
        let mut taken = [0; N];
        taken.copy_from_slice(&self.bytes[from..self.left]);
        // An id that was handed out must not be found here too.
        self.bytes[from..self.left].fill(0);
        self.left = from;
        Ok(taken)
    }
}

/// `N` random bytes.
///
/// # Errors
/// `E_INTERNAL` when the system has none to give; nothing weaker takes their place.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    DRAWER.with_borrow_mut(Drawer::take)
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
    let mut text = String::with_capacity(2 * bytes.len());
    bytes.iter().for_each(|byte| text.extend(hex_digits(*byte).map(char::from)));
    text
}

/// The two lowercase hexadecimal digits of a byte.
pub fn hex_digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bytes_are_handed_out_twice_or_kept() {
        let all: HashSet<[u8; 24]> = (0..1000).map(|_| bytes().unwrap()).collect();
        assert_eq!(all.len(), 1000);
        let last: [u8; 24] = bytes().unwrap();
        DRAWER.with_borrow(|drawer| {
            assert!(drawer.bytes.windows(24).all(|kept| kept != last));
            assert!(drawer.bytes[drawer.left..].iter().all(|byte| *byte == 0));
        });
    }

    #[test]
    fn each_thread_draws_its_own() {
        let draw = || bytes::<24>().unwrap();
        assert_ne!(std::thread::spawn(draw).join().unwrap(), std::thread::spawn(draw).join().unwrap());
    }

    #[test]
    fn digits_are_two_a_byte() {
        assert_eq!(to_hex(&[0, 1, 0x9a, 0xff]), "00019aff");
        assert_eq!(hex::<24>().unwrap().len(), 48);
    }
}
