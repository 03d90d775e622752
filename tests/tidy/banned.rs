//! The words that the tree does not use, and what it says instead. CONTRIBUTING.md has the glossary of those it does use.

use super::words::{
    Banned,
    Where::{Code, RustNames, Text},
};

/// Each entry: where it is looked for, the words or phrases, and what to say instead.
pub const BANNED: &[Banned] = &[
    Banned(
        Text,
        &["answer", "answers", "answered", "answering", "unanswered"],
        "return, reply, respond, result, pending",
    ),
    Banned(Text, &["tell", "tells", "told", "telling", "teller", "untold"], "notify, report, call, write, distinguish"),
    Banned(Text, &["somebody", "someone", "nobody", "whoever"], "a caller, another process, no caller, any process"),
    Banned(Text, &["cannot be meant", "can be meant", "could be meant", "not be meant"], "invalid, valid"),
    Banned(Text, &["desk", "desks"], "scheduler"),
    Banned(Text, &["seat", "seats", "seated", "seating", "reseat", "reseats"], "membership, registration"),
    Banned(Text, &["roster"], "presence table, registry"),
    Banned(Text, &["crew"], "task set"),
    Banned(Text, &["linger", "lingers", "lingering"], "spin, poll before sleeping"),
    Banned(Text, &["farewell", "farewells"], "on_exit, exit message"),
    Banned(Text, &["greet", "greets", "greeted"], "on_connected, handshake"),
    Banned(Text, &["reap", "reaps", "reaped", "bury", "buries", "buried"], "reclaim, expire, prune, fail"),
    Banned(Text, &["revive", "revives", "revived"], "redrive, retry"),
    Banned(
        Text,
        &["weather", "on its way", "on their way", "the way back"],
        "the plain term: fault, in flight, response path",
    ),
    Banned(Code, &["usual"], "default"),
    Banned(Code, &["flight", "flights"], "in_flight, single_flight, load"),
    Banned(Code, &["spell", "spells", "spelled", "spelling"], "encode, build, name"),
    Banned(
        Code,
        &["hand over", "hands over", "handed", "hand out", "hands out"],
        "submit, enqueue, deliver, pass, return",
    ),
    Banned(Code, &["stir", "stirs", "stirred"], "wake"),
    Banned(Code, &["look around", "looks"], "poll, refresh, snapshot, peek"),
    Banned(Code, &["keep back", "kept back"], "pending, defer"),
    Banned(Code, &["gathered", "tally"], "sub_request, part, outcomes, counts"),
    Banned(Code, &["judge", "judges", "judged"], "classify, decide, check"),
    Banned(Code, &["lane", "lanes"], "key_order"),
    Banned(RustNames, &["verdict"], "decision, outcome"),
    Banned(RustNames, &["piece", "pieces", "trip"], "part, sub_request, round_trip"),
    Banned(RustNames, &["held"], "pending, abortable"),
    Banned(RustNames, &["rise", "look"], "wake, poll, peek"),
    Banned(RustNames, &["book", "page"], "registry, entry"),
    Banned(RustNames, &["feed", "post"], "connector, sender"),
    Banned(RustNames, &["life", "lives"], "ttl"),
    Banned(RustNames, &["gone"], "missing, deleted, tombstone"),
    Banned(RustNames, &["apart"], "dedicated, separate, per_node"),
    Banned(RustNames, &["place", "places"], "endpoint, position, key_position, cursor, offset"),
    Banned(RustNames, &["kept", "forget"], "retained, stored, remove, drop"),
];

/// What stays: names that others gave, and terms of the field that have one of these words in them.
pub const ALLOWED: &[&str] = &["in flight", "single flight", "round trip", "half open trip"];
