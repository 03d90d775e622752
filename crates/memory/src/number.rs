//! Numbers as Redis parses and formats them.

use bytes::Bytes;

/// Parses an integer in its canonical form: no plus sign, no leading zeros, no spaces.
pub fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.len() < 19 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    canonical.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

/// Parses a floating-point number, including `inf`; not `nan`, and nothing too large or too small for a double.
pub fn float(text: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let digits = || text.iter().take_while(|c| !matches!(c, b'e' | b'E')).any(|c| (b'1'..=b'9').contains(c));
    let is_inf = || text.iter().any(|c| matches!(c, b'i' | b'I'));
    let out_of_range = (number == 0.0 && digits()) || (number.is_infinite() && !is_inf());
    (!number.is_nan() && !out_of_range).then_some(number)
}

/// Formats a number as C's `%.17g` does: integers without a point, everything else precise enough to be parsed as the same number.
pub fn write_float(number: f64) -> Bytes {
    if number.is_infinite() {
        return Bytes::from_static(if number > 0.0 { b"inf" } else { b"-inf" });
    }
    if number.is_nan() {
        return Bytes::from_static(if number.is_sign_negative() { b"-nan" } else { b"nan" });
    }
    let text = format!("{number:.16e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..17).contains(&exponent) {
        let decimals = usize::try_from(16 - exponent).unwrap_or(0);
        return Bytes::from(without_trailing_zeros(&format!("{number:.decimals$}")).to_owned());
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    Bytes::from(format!("{}e{sign}{:02}", without_trailing_zeros(digits), exponent.abs()))
}

fn without_trailing_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_canonical_form() {
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer(b"0"), Some(0));
        for text in ["", "-", "-0", "+1", "01", " 1", "1 ", "9223372036854775808", "1.0", "99999999999999999999"] {
            assert_eq!(integer(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn floats_are_formatted_as_in_c() {
        let cases: [(f64, &str); 11] = [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (0.1, "0.10000000000000001"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1e300, "1.0000000000000001e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (1.7e12, "1700000000000"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (number, text) in cases {
            assert_eq!(write_float(number), text);
        }
    }

    #[test]
    fn floats_are_parsed_strictly() {
        assert_eq!(float(b"1e3"), Some(1000.0));
        assert_eq!(float(b"+Inf"), Some(f64::INFINITY));
        assert_eq!(float(b"0e9"), Some(0.0));
        for text in ["", "nan", "1e400", "1e-400", " 1", "1x"] {
            assert_eq!(float(text.as_bytes()), None, "{text:?}");
        }
    }
}
