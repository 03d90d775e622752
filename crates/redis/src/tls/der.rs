//! A minimal parser for certificates of version 1, which rustls rejects.

/// A public key and its algorithm.
pub struct Key<'a> {
    pub algorithm: &'a [u8],
    pub bits: &'a [u8],
}

/// Whether a certificate is of version 1, which has no version field.
pub fn is_old(certificate: &[u8]) -> bool {
    body(certificate).and_then(|body| body.first()).is_some_and(|tag| *tag != VERSION)
}

/// Whether it has a subjectAltName.
pub fn has_names(certificate: &[u8]) -> bool {
    memchr::memmem::find(certificate, &[0x06, 0x03, 0x55, 0x1d, 0x11]).is_some()
}

/// Its public key.
pub fn key(certificate: &[u8]) -> Option<Key<'_>> {
    let mut rest = body(certificate)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // Serial number, algorithm, issuer, validity, subject.
    for _ in 0..5 {
        rest = element(rest)?.2;
    }
    let (_, info, _) = element(rest)?;
    let (_, algorithm, rest) = element(info)?;
    let (_, bits, _) = element(rest)?;
    // The number of unused bits in the last byte, which must be 0.
    Some(Key { algorithm, bits: bits.strip_prefix(&[0])? })
}

const VERSION: u8 = 0xa0;

/// The signed part.
fn body(certificate: &[u8]) -> Option<&[u8]> {
    let (_, whole, _) = element(certificate)?;
    element(whole).map(|(_, body, _)| body)
}

/// Tag and content of the first element, and the remaining bytes.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long - 0x80))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_break_it() {
        for bytes in [&b""[..], b"\x30", b"\x30\x82\xff", b"\x30\x03\x30\x01\x02", b"\x30\x84\xff\xff\xff\xff"] {
            assert!(key(bytes).is_none() && !has_names(bytes));
            is_old(bytes);
        }
    }
}
