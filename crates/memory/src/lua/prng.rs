//! The generator behind `math.random`: the same seed gives the same sequence as on a server.

/// A linear congruential generator of 48 bits, that of POSIX's `lrand48`.
pub struct Chance(u64);

const BITS: u64 = (1 << 48) - 1;

impl Chance {
    pub fn new(seed: i32) -> Self {
        Self(u64::from(seed as u32) << 16 | 0x330e)
    }

    /// A number from 0 up to, but not including, 1.
    pub fn roll(&mut self) -> f64 {
        self.0 = (self.0.wrapping_mul(0x5_deec_e66d) + 0xb) & BITS;
        let most = i32::MAX as u64;
        ((self.0 >> 17) % most) as f64 / most as f64
    }
}
