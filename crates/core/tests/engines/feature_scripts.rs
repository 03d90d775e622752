//! The inputs of each script of caches and adapters: missing keys, expected values, another type, expired keys, odd arguments.

use crate::pair::How::{Exactly, Loosely};
use crate::scripts::{Cases, script};

script!(ENSURE_EPOCH = "cache/ensure_epoch.lua", keys: 1, args: 2);
script!(OPEN_LEASE = "cache/open_lease.lua", keys: 1, args: 2);
script!(EXPIRE_EPOCH = "cache/expire_epoch.lua", keys: 1, args: 0, with: ["clock.lua"]);
script!(EXPIRED_FOR = "cache/expired_for.lua", keys: 1, args: 1, with: ["clock.lua"]);
script!(FILL = "cache/fill.lua", keys: 2, args: 3);
script!(SET = "cache/set.lua", keys: 2, args: 2);
script!(REMOVE = "cache/remove.lua", keys: 2, args: 0);
script!(CLAIM = "cache/claim.lua", keys: 1, args: 3);
script!(RENEW_CLAIM = "cache/renew_claim.lua", keys: 1, args: 2);
script!(END_CLAIM = "cache/end_claim.lua", keys: 1, args: 2);
script!(RELEASE_LEASE = "cache/release_lease.lua", keys: 1, args: 1);
script!(REPLACE = "adapter/replace.lua", keys: 1, args: 3);
script!(INCREMENT = "adapter/increment.lua", keys: 1, args: 1);

/// Caches and adapters.
pub const CASES: &[Cases] = &[
    Cases {
        script: &REPLACE,
        how: Exactly,
        after: &["GET sess:a", "PTTL sess:a", "TYPE sess:a"],
        lines: "
=> sess:a old new 60000
SET sess:a old PX 90000 => sess:a old new 60000
SET sess:a old PX 90000 => sess:a old new ''
SET sess:a old => sess:a old new 60000
SET sess:a other PX 90000 => sess:a old new 60000
SET sess:a other => sess:a old new ''
SET sess:a old | PEXPIREAT sess:a 1 => sess:a old new 60000
SET sess:a '' PX 90000 => sess:a '' new 60000
SET sess:a 1 PX 90000 => sess:a 1.0 new 60000
SET sess:a old PX 90000 => sess:a old '' 60000
SET sess:a old PX 90000 => sess:a old new 0
SET sess:a old PX 90000 => sess:a old new x
SET sess:a old PX 90000 => sess:a old new
RPUSH sess:a old => sess:a old new 60000
HSET sess:a old old => sess:a old new 60000
",
    },
    Cases {
        script: &INCREMENT,
        how: Exactly,
        after: &["GET better-auth:a", "PTTL better-auth:a", "TYPE better-auth:a"],
        lines: "
=> better-auth:a 60000
SET better-auth:a 7 PX 90000 => better-auth:a 60000
SET better-auth:a 7 => better-auth:a 60000
SET better-auth:a 7 PXAT 1 => better-auth:a 60000
SET better-auth:a -1 PX 90000 => better-auth:a 60000
SET better-auth:a 9223372036854775807 => better-auth:a 60000
SET better-auth:a text PX 90000 => better-auth:a 60000
SET better-auth:a 1.5 => better-auth:a 60000
RPUSH better-auth:a 1 => better-auth:a 60000
=> better-auth:a 0
=> better-auth:a x
=> better-auth:a
",
    },
    Cases {
        script: &ENSURE_EPOCH,
        how: Exactly,
        after: &["GET api:{api:a}:load", "PTTL api:{api:a}:load", "TYPE api:{api:a}:load"],
        lines: "
=> api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load another PX 60000 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load another PX 180000 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load another => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load another PXAT 1 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load '' PX 60000 => api:{api:a}:load 0123456789abcdef 120000
RPUSH api:{api:a}:load x => api:{api:a}:load 0123456789abcdef 120000
=> api:{api:a}:load 0123456789abcdef x
=> api:{api:a}:load 0123456789abcdef 0
=> api:{api:a}:load 0123456789abcdef -1
=> api:{api:a}:load 0123456789abcdef 60000.5
SET api:{api:a}:load another PX 60000 => api:{api:a}:load 0123456789abcdef x
=> api:{api:a}:load 0123456789abcdef
=> api:{api:a}:load
",
    },
    Cases {
        script: &OPEN_LEASE,
        how: Exactly,
        after: &["GET api:{api:a}:load", "PTTL api:{api:a}:load", "TYPE api:{api:a}:load"],
        lines: "
=> api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load ab:1:0 PX 60000 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load ab:9:8 PX 180000 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load ab:1:0 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load ab:1:0 PXAT 1 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load another PX 60000 => api:{api:a}:load 0123456789abcdef 120000
SET api:{api:a}:load '' PX 60000 => api:{api:a}:load 0123456789abcdef 120000
RPUSH api:{api:a}:load x => api:{api:a}:load 0123456789abcdef 120000
=> api:{api:a}:load 0123456789abcdef x
=> api:{api:a}:load 0123456789abcdef 0
=> api:{api:a}:load 0123456789abcdef -1
=> api:{api:a}:load 0123456789abcdef 60000.5
SET api:{api:a}:load ab:1:0 PX 60000 => api:{api:a}:load 0123456789abcdef x
=> api:{api:a}:load 0123456789abcdef
=> api:{api:a}:load
",
    },
    Cases {
        script: &FILL,
        how: Loosely,
        after: &["GET api:a", "PTTL api:a", "GET api:{api:a}:load", "PERSIST api:{api:a}:load", "TYPE api:a"],
        lines: "
SET api:{api:a}:load ab:2:0 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:2:0 PX 60000 | SET api:a 0 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:2:0 PX 60000 | RPUSH api:a x => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load cd:1:0 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:2:0 PXAT 1 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:3:0 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:3:1 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:3:2 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:3:3 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:10:9 PX 60000 => api:a api:{api:a}:load ab:10 1 300000
SET api:{api:a}:load ab:3:0 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab PX 60000 => api:a api:{api:a}:load ab 1 300000
SET api:{api:a}:load ab:2:0 PX 60000 => api:a api:{api:a}:load ab:x 1 300000
=> api:a api:{api:a}:load ab:2 1 300000
SET api:a 0 PX 60000 => api:a api:{api:a}:load ab:2 1 300000
=> api:a api:{api:a}:load '' 1 300000
RPUSH api:{api:a}:load ab:2:0 => api:a api:{api:a}:load ab:2 1 300000
SET api:{api:a}:load ab:2:0 PX 60000 => api:a api:{api:a}:load ab:2 1 0
SET api:{api:a}:load ab:2:0 PX 60000 => api:a api:{api:a}:load ab:2 1 x
SET api:{api:a}:load ab:2:0 PX 60000 => api:a api:{api:a}:load ab:2 1
",
    },
    Cases {
        script: &SET,
        how: Exactly,
        after: &["GET api:a", "PTTL api:a", "TYPE api:{api:a}:load", "TYPE api:a"],
        lines: "
=> api:a api:{api:a}:load 1 300000
SET api:{api:a}:load m PX 60000 => api:a api:{api:a}:load 1 300000
SET api:{api:a}:load m PX 60000 | SET api:a 0 PX 60000 => api:a api:{api:a}:load 1 300000
RPUSH api:a x | RPUSH api:{api:a}:load m => api:a api:{api:a}:load 1 300000
SET api:{api:a}:load m PX 60000 => api:a api:{api:a}:load '' 300000
SET api:{api:a}:load m PX 60000 => api:a api:{api:a}:load 1 0
SET api:{api:a}:load m PX 60000 => api:a api:{api:a}:load 1 x
SET api:{api:a}:load m PX 60000 => api:a api:{api:a}:load 1
",
    },
    Cases {
        script: &REMOVE,
        how: Exactly,
        after: &["TYPE api:a", "TYPE api:{api:a}:load"],
        lines: "
=> api:a api:{api:a}:load
SET api:a 0 PX 60000 => api:a api:{api:a}:load
SET api:{api:a}:load m PX 60000 => api:a api:{api:a}:load
SET api:{api:a}:load m PX 60000 | SET api:a 0 PX 60000 => api:a api:{api:a}:load
SET api:a 0 PXAT 1 => api:a api:{api:a}:load
RPUSH api:a x | RPUSH api:{api:a}:load m => api:a api:{api:a}:load
",
    },
    Cases {
        script: &EXPIRE_EPOCH,
        how: Exactly,
        after: &["STRLEN api:{api:tag:x}:mark", "PTTL api:{api:tag:x}:mark", "TYPE api:{api:tag:x}:mark"],
        lines: "
=> api:{api:tag:x}:mark
SET api:{api:tag:x}:mark 0a1b PX 60000 => api:{api:tag:x}:mark
SET api:{api:tag:x}:mark 0a1b => api:{api:tag:x}:mark
SET api:{api:tag:x}:mark 0a1b:1700000000000: PX 60000 => api:{api:tag:x}:mark
SET api:{api:tag:x}:mark 0a1b:9700000000000:1700000000000 PX 60000 => api:{api:tag:x}:mark
SET api:{api:tag:x}:mark !other PX 60000 => api:{api:tag:x}:mark
SET api:{api:tag:x}:mark '' PX 60000 => api:{api:tag:x}:mark
SET api:{api:tag:x}:mark 0a1b PXAT 1 => api:{api:tag:x}:mark
RPUSH api:{api:tag:x}:mark 0a1b => api:{api:tag:x}:mark
",
    },
    Cases {
        script: &EXPIRED_FOR,
        how: Loosely,
        after: &["TYPE api:{api:tag:x}:mark"],
        lines: "
=> api:{api:tag:x}:mark 1700000000000
SET api:{api:tag:x}:mark 0a1b:1700000000000: PX 60000 => api:{api:tag:x}:mark 1700000000000
=> api:{api:tag:x}:mark x
=> api:{api:tag:x}:mark
",
    },
    Cases {
        script: &CLAIM,
        how: Exactly,
        after: &["GET api:{api:a}:claim", "PTTL api:{api:a}:claim", "TYPE api:{api:a}:claim"],
        lines: "
=> api:{api:a}:claim one 60000 ''
SET api:{api:a}:claim one PX 90000 => api:{api:a}:claim one 60000 ''
SET api:{api:a}:claim other PX 90000 => api:{api:a}:claim one 60000 ''
SET api:{api:a}:claim other PX 90000 => api:{api:a}:claim one 60000 other
SET api:{api:a}:claim failed:other PX 90000 => api:{api:a}:claim one 60000 other
SET api:{api:a}:claim failed:other PX 90000 => api:{api:a}:claim one 60000 third
SET api:{api:a}:claim failed:other PX 90000 => api:{api:a}:claim one 60000 ''
SET api:{api:a}:claim other PXAT 1 => api:{api:a}:claim one 60000 other
SET api:{api:a}:claim '' PX 90000 => api:{api:a}:claim one 60000 ''
RPUSH api:{api:a}:claim x => api:{api:a}:claim one 60000 ''
=> api:{api:a}:claim one x ''
",
    },
    Cases {
        script: &RENEW_CLAIM,
        how: Exactly,
        after: &["GET api:{api:a}:claim", "PTTL api:{api:a}:claim"],
        lines: "
=> api:{api:a}:claim one 60000
SET api:{api:a}:claim one PX 90000 => api:{api:a}:claim one 60000
SET api:{api:a}:claim other PX 90000 => api:{api:a}:claim one 60000
SET api:{api:a}:claim failed:one PX 90000 => api:{api:a}:claim one 60000
SET api:{api:a}:claim one PXAT 1 => api:{api:a}:claim one 60000
HSET api:{api:a}:claim one 1 => api:{api:a}:claim one 60000
",
    },
    Cases {
        script: &END_CLAIM,
        how: Exactly,
        after: &["GET api:{api:a}:claim", "TYPE api:{api:a}:claim"],
        lines: "
=> api:{api:a}:claim one 0
SET api:{api:a}:claim one PX 90000 => api:{api:a}:claim one 0
SET api:{api:a}:claim one PX 90000 => api:{api:a}:claim one 1
SET api:{api:a}:claim other PX 90000 => api:{api:a}:claim one 0
SET api:{api:a}:claim other PX 90000 => api:{api:a}:claim one 1
HSET api:{api:a}:claim one 1 => api:{api:a}:claim one 1
",
    },
    Cases {
        script: &RELEASE_LEASE,
        how: Exactly,
        after: &["GET api:{api:a}:load", "TYPE api:{api:a}:load"],
        lines: "
SET api:{api:a}:load ab:1:0 PX 60000 => api:{api:a}:load ab:1
SET api:{api:a}:load ab:2:0 PX 60000 => api:{api:a}:load ab:1
SET api:{api:a}:load ab:2:1 PX 60000 => api:{api:a}:load ab:2
SET api:{api:a}:load cd:1:0 PX 60000 => api:{api:a}:load ab:1
SET api:{api:a}:load ab PX 60000 => api:{api:a}:load ab
=> api:{api:a}:load ab:1
HSET api:{api:a}:load ab:1 1 => api:{api:a}:load ab:1
SET api:{api:a}:load ab:1:0 PX 60000 => api:{api:a}:load
",
    },
];
