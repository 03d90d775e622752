//! Random bytes from the generator of the operating system.

use std::{cell::RefCell, sync::LazyLock};

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, Kind, Result};

static SYSTEM: LazyLock<SystemRandom> = LazyLock::new(SystemRandom::new);

/// How many bytes are requested from the system at once. The system call costs more than the rest of creating an id.
const BUFFER_SIZE: usize = 512;

thread_local! {
    static BUFFER: RefCell<RandomBuffer> = const { RefCell::new(RandomBuffer { bytes: [0; BUFFER_SIZE], left: 0 }) };
}

/// Random bytes that have not been returned yet.
struct RandomBuffer {
    bytes: [u8; BUFFER_SIZE],
    left: usize,
}

impl RandomBuffer {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        const { assert!(N <= BUFFER_SIZE) };
        if self.left < N {
            self.left = 0;
            SYSTEM
                .fill(&mut self.bytes)
                .map_err(|_| Error::new(Kind::Internal, "the system provides no random numbers"))?;
            self.left = BUFFER_SIZE;
        }
        let from = self.left - N;
        let mut taken = [0; N];
        taken.copy_from_slice(&self.bytes[from..self.left]);
        // Returned bytes must not remain in memory here.
        self.bytes[from..self.left].fill(0);
        self.left = from;
        Ok(taken)
    }
}

/// Returns `N` random bytes.
///
/// # Errors
/// `E_INTERNAL` if the system provides none; no weaker generator takes its place.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    BUFFER.with_borrow_mut(RandomBuffer::take)
}

/// Returns a number from 0 to 1, 1 excluded. For jitter only: without random bytes from the system it is one half.
pub fn fraction() -> f64 {
    bytes::<4>().map_or(0.5, |bytes| f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0))
}

/// Returns `N` random bytes as `2 × N` lowercase hexadecimal digits.
///
/// # Errors
/// As for `bytes`.
pub fn hex<const N: usize>() -> Result<String> {
    Ok(to_hex(&bytes::<N>()?))
}

/// Encodes bytes as lowercase hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    bytes.iter().for_each(|byte| text.extend(hex_digits(*byte).map(char::from)));
    text
}

/// Returns the two lowercase hexadecimal digits of a byte.
pub fn hex_digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn returned_bytes_are_unique_and_erased() {
        let all: HashSet<[u8; 24]> = (0..1000).map(|_| bytes().unwrap()).collect();
        assert_eq!(all.len(), 1000);
        let last: [u8; 24] = bytes().unwrap();
        BUFFER.with_borrow(|buffer| {
            assert!(buffer.bytes.windows(24).all(|window| window != last));
            assert!(buffer.bytes[buffer.left..].iter().all(|byte| *byte == 0));
        });
    }

    #[test]
    fn each_thread_has_its_own_bytes() {
        let take = || bytes::<24>().unwrap();
        assert_ne!(std::thread::spawn(take).join().unwrap(), std::thread::spawn(take).join().unwrap());
    }

    #[test]
    fn a_byte_is_two_digits() {
        assert_eq!(to_hex(&[0, 1, 0x9a, 0xff]), "00019aff");
        assert_eq!(hex::<24>().unwrap().len(), 48);
    }
}
