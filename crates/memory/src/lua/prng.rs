//! The pseudo-random number generator of `math.random`: a seed gives the same sequence as on a server.

/// The 48-bit linear congruential generator of POSIX's `lrand48`.
pub struct Prng(u64);

const BITS: u64 = (1 << 48) - 1;

impl Prng {
    pub fn new(seed: i32) -> Self {
        Self(u64::from(seed as u32) << 16 | 0x330e)
    }

    /// Returns the next number, from 0 to 1, 1 excluded.
    pub fn next_float(&mut self) -> f64 {
        self.0 = (self.0.wrapping_mul(0x5_deec_e66d) + 0xb) & BITS;
        let most = i32::MAX as u64;
        ((self.0 >> 17) % most) as f64 / most as f64
    }
}
