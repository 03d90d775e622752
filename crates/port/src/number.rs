//! Numbers as JavaScript represents them.

/// The largest integer up to which JavaScript represents all exactly: `Number.MAX_SAFE_INTEGER`.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The longest time that is accepted anywhere, in seconds: a hundred years. Every clock can hold it, and as milliseconds it is exact also
/// when a script adds it to a clock. `lib/ttl.js` has the same.
pub const LONGEST_SECONDS: u64 = 3_155_760_000;

/// What `Number.isSafeInteger(number)` returns.
pub fn is_safe_integer(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER as f64
}

/// What `String(number)` returns.
pub fn to_js_string(number: f64) -> String {
    let size = number.abs();
    if size.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if size >= 1e21 {
        return format!("{number:e}").replace('e', "e+");
    }
    if size > 0.0 && size < 1e-6 {
        return format!("{number:e}");
    }
    // Without a minus before 0.
    (number + 0.0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_in_javascript() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (-1.5, "-1.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (f64::MAX, "1.7976931348623157e+308"),
            (0.000_001, "0.000001"),
            (-0.000_000_1, "-1e-7"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(to_js_string(number), text);
        }
    }

    #[test]
    fn only_exact_integers_are_safe() {
        let largest = MAX_SAFE_INTEGER as f64;
        assert!([0.0, -0.0, -3.0, largest, -largest].into_iter().all(is_safe_integer));
        assert!(![0.5, largest + 1.0, f64::INFINITY, f64::NAN].into_iter().any(is_safe_integer));
    }
}
