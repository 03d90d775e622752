//! Finds the keys of any command, as far as needed to route it in a cluster.

use bytes::Bytes;

use crate::store::Keys;

/// The keys of a command, given by its upper-case name. For an unknown command, its first argument is assumed to be a key; if
/// that is wrong, the node reports it.
pub fn of(name: &str, args: &[Bytes]) -> Keys {
    let at = |first: usize, count: usize| {
        let count = count.min(args.len().saturating_sub(first));
        Keys::At { first: first as u16, count: count.min(usize::from(u16::MAX)) as u16, step: 1 }
    };
    let counted = |place: usize| {
        let count = args.get(place).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        count.map_or(Keys::Unknown, |count| at(place + 1, count))
    };
    match name {
        "BLPOP" | "BRPOP" | "BZPOPMIN" | "BZPOPMAX" => at(0, args.len().saturating_sub(1)),
        "BLMOVE" | "BRPOPLPUSH" | "RENAME" | "RENAMENX" | "COPY" | "LMOVE" | "RPOPLPUSH" | "SMOVE"
        | "GEOSEARCHSTORE" | "ZRANGESTORE" | "LCS" => at(0, 2),
        "BLMPOP" | "BZMPOP" | "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" => counted(1),
        "LMPOP" | "ZMPOP" | "SINTERCARD" | "ZINTERCARD" | "ZUNION" | "ZINTER" | "ZDIFF" => counted(0),
        "OBJECT" | "XINFO" | "XGROUP" | "BITOP" => at(1, 1),
        "MEMORY" if args.len() > 1 => at(1, 1),
        "XREAD" | "XREADGROUP" => {
            let streams = args.iter().position(|word| word.eq_ignore_ascii_case(b"STREAMS"));
            streams.map_or(Keys::Unknown, |place| at(place + 1, (args.len() - place - 1) / 2))
        }
        _ => Keys::Unknown,
    }
}
