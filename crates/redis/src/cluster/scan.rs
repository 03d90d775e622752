//! One cursor for a scan through all nodes.
//!
//! Its low 14 bits are the first slot of the node that is being scanned, the rest is that node's own cursor. The nodes come in
//! the order of their first slots, and `0` is the beginning and the end, as usual. As with any scan, a key that is there
//! all along and stays where it is is found at least once; one whose slot moves meanwhile may be missed.

use crate::slot::SLOTS;

/// Returns the slot whose node is scanned, and that node's cursor; `None` if it is no cursor.
pub fn unfold(cursor: &[u8]) -> Option<(u16, u64)> {
    let folded: u128 = std::str::from_utf8(cursor).ok()?.parse().ok()?;
    let (slot, inner) = (folded % SLOTS as u128, folded / SLOTS as u128);
    Some((slot as u16, u64::try_from(inner).ok()?))
}

/// Returns the cursor after the node of this slot has returned `inner`. `firsts` are the first slots of all nodes.
pub fn fold(slot: u16, inner: u64, firsts: impl IntoIterator<Item = u16>) -> String {
    let next = match inner {
        0 => firsts.into_iter().filter(|first| *first > slot).min().map_or(0, u128::from),
        _ => u128::from(inner) * SLOTS as u128 + u128::from(slot),
    };
    next.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_read_as_it_was_written(slot in 0..SLOTS as u16, inner in 1..=u64::MAX) {
            prop_assert_eq!(unfold(fold(slot, inner, []).as_bytes()), Some((slot, inner)));
        }

        #[test]
        fn leads_through_every_node_once(firsts in proptest::collection::btree_set(1..SLOTS as u16, 0..20), steps in 1..4_u64) {
            let firsts: Vec<u16> = std::iter::once(0).chain(firsts).collect();
            let (mut cursor, mut seen) = (String::from("0"), Vec::new());
            loop {
                let (slot, inner) = unfold(cursor.as_bytes()).unwrap();
                seen.push((slot, inner));
                cursor = fold(slot, (inner + 1) % steps, firsts.iter().copied());
                if cursor == "0" {
                    break;
                }
            }
            let wanted: Vec<_> = firsts.iter().flat_map(|first| (0..steps).map(move |step| (*first, step))).collect();
            prop_assert_eq!(seen, wanted);
        }
    }

    #[test]
    fn an_invalid_cursor_is_rejected() {
        assert_eq!(unfold(b"0"), Some((0, 0)));
        for text in ["", "-1", "x", "999999999999999999999999999999999999999999"] {
            assert_eq!(unfold(text.as_bytes()), None, "{text}");
        }
    }
}
