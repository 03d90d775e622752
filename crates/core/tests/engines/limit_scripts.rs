//! The inputs of each script of limits: missing entries, counted hits, blocks, overrides, clocks that have gone back, another type, odd
//! arguments. Times in entries are far in the future, so that all of them are moved back to the time of the test.

use crate::pair::How::{Exactly, Loosely, Micros};
use crate::scripts::{Cases, script};

macro_rules! policy_script {
    ($name:ident = $file:literal, keys: $keys:literal, args: $args:literal) => {
        script!(
            $name = $file, keys: $keys, args: $args,
            with: [
                "clock.lua",
                "limit/bucket_level.lua",
                "limit/bucket.lua",
                "limit/fixed.lua",
                "limit/sliding_slices.lua",
                "limit/sliding.lua",
                "limit/calendar.lua",
                "limit/policy.lua",
                "limit/bucket_shape.lua",
                "limit/plain_bucket.lua",
                "limit/entry.lua",
                "limit/view.lua"
            ]
        );
    };
}

script!(FIXED_WINDOW = "limit/fixed_window.lua", keys: 1, args: 2, with: ["clock.lua"]);
script!(ACQUIRE_SLOT = "limit/acquire_slot.lua", keys: 1, args: 3, with: ["clock.lua", "limit/slots.lua"]);
script!(RENEW_SLOT = "limit/renew_slot.lua", keys: 1, args: 2, with: ["clock.lua", "limit/slots.lua"]);
script!(RESET = "limit/reset.lua", keys: 1, args: 1);
policy_script!(TAKE = "limit/take.lua", keys: 1, args: 4);
policy_script!(TAKE_ALL = "limit/take_all.lua", keys: 1, args: 0);
policy_script!(CHANGE = "limit/change.lua", keys: 1, args: 8);
policy_script!(SETTLE = "limit/settle.lua", keys: 2, args: 9);

/// Limits.
pub const CASES: &[Cases] = &[
    Cases {
        script: &FIXED_WINDOW,
        how: Loosely,
        after: &["GET rate_limit:ip", "GET fresh:rate_limit:ip", "PTTL rate_limit:ip", "TYPE rate_limit:ip"],
        lines: "
=> rate_limit:ip 2 60000
=> rate_limit:ip 1 60000
=> rate_limit:ip 100 86400000
=> ratelimit:10.0.0.1:/login 2 60000
SET rate_limit:ip 1 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip 2 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip 100 PX 90000 => rate_limit:ip 2 60000
SET rate_limit:ip 1 => rate_limit:ip 2 60000
SET rate_limit:ip 7 => rate_limit:ip 2 60000
SET rate_limit:ip 0 => rate_limit:ip 2 60000
SET rate_limit:ip 0 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip -1 => rate_limit:ip 2 60000
SET rate_limit:ip -5 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip 7 | PEXPIREAT rate_limit:ip 1 => rate_limit:ip 2 60000
SET rate_limit:ip 7 PXAT 1 => rate_limit:ip 2 60000
SET rate_limit:ip abc PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip 1.5 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip '' => rate_limit:ip 2 60000
SET rate_limit:ip 9223372036854775807 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip 9223372036854775806 PX 30000 => rate_limit:ip 2 60000
SET rate_limit:ip 9007199254740991 PX 30000 => rate_limit:ip 9007199254740992 60000
SET rate_limit:ip 9007199254740992 PX 30000 => rate_limit:ip 9007199254740992 60000
RPUSH rate_limit:ip a => rate_limit:ip 2 60000
HSET rate_limit:ip a 1 => rate_limit:ip 2 60000
=> rate_limit:ip 0 60000
=> rate_limit:ip x 60000
SET rate_limit:ip 1 => rate_limit:ip x 60000
=> rate_limit:ip 2 x
SET rate_limit:ip 1 => rate_limit:ip 2 x
=> rate_limit:ip 2 0
=> rate_limit:ip 2 -1
SET rate_limit:ip 1 => rate_limit:ip 2 0
=> rate_limit:ip 2 9223372036854775807
=> rate_limit:ip 2
=> rate_limit:ip
",
    },
    Cases {
        script: &RESET,
        how: Exactly,
        after: &["GET rate_limit:ip"],
        lines: "
=> rate_limit:ip rate_limit:{rate_limit:}:changes
SET rate_limit:ip 3 PX 60000 => rate_limit:ip rate_limit:{rate_limit:}:changes
RPUSH rate_limit:ip a => rate_limit:ip rate_limit:{rate_limit:}:changes
SET rate_limit:ip 3 => rate_limit:ip
",
    },
    Cases {
        script: &TAKE,
        how: Micros,
        after: &["PTTL rate_limit:{rate_limit:ip}:p", "TYPE rate_limit:{rate_limit:ip}:p"],
        lines: "
=> rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
=> rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 2 0
=> rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 4 0
=> rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 0 0
=> rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' peek 1 0
=> rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' drain 2 0
=> rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' drain 9 0
=> rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' force 9 0
RPUSH rate_limit:{rate_limit:ip}:p x => rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
SET rate_limit:{rate_limit:ip}:p text => rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
SET rate_limit:{rate_limit:ip}:p '' PX 90000 => rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
SET rate_limit:{rate_limit:ip}:p '1;0;;' PX 90000 => rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
SET rate_limit:{rate_limit:ip}:p 1;2;3;4 PX 90000 => rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;0:1;9000000000000000;0;0;' => rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;9000000030000000:1;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
=> rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 1 0
=> rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 2 0
=> rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 4 0
=> rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 0 0
=> rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' peek 1 0
=> rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' drain 2 0
=> rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' drain 9 0
=> rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' force 9 0
RPUSH rate_limit:{rate_limit:ip}:p x => rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 1 0
SET rate_limit:{rate_limit:ip}:p text => rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 1 0
SET rate_limit:{rate_limit:ip}:p '' PX 90000 => rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 1 0
SET rate_limit:{rate_limit:ip}:p '1;0;;' PX 90000 => rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 1 0
SET rate_limit:{rate_limit:ip}:p 1;2;3;4 PX 90000 => rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;0:1;9000000000000000;0;0;' => rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;9000000030000000:1;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 1 0
=> rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
=> rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 2 0
=> rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 4 0
=> rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 0 0
=> rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' peek 1 0
=> rate_limit:{rate_limit:ip}:p 'fixed 100 60000000 10' share 50 1
=> rate_limit:{rate_limit:ip}:p 'fixed 100 60000000 10' share 50 20
=> rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 10' share 50 4
=> rate_limit:{rate_limit:ip}:p 'calendar 100 1,4102444800000 2' share 5 1
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p 'fixed 100 60000000 10' share 50 1
=> rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' drain 2 0
=> rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' drain 9 0
=> rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' force 9 0
RPUSH rate_limit:{rate_limit:ip}:p x => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
SET rate_limit:{rate_limit:ip}:p text => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
SET rate_limit:{rate_limit:ip}:p '' PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
SET rate_limit:{rate_limit:ip}:p '1;0;;' PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
SET rate_limit:{rate_limit:ip}:p 1;2;3;4 PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;0:1;9000000000000000;0;0;' => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;9000000030000000:1;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;f:2:8999999990000000' PX 90000 => rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;f:3:8999999990000000' PX 90000 => rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;f:3:8999999930000000' PX 90000 => rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;s:6000000:1500000000=1,1499999999=2' PX 90000 => rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;s:6000000:1499999995=1,1499999999=2' PX 90000 => rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 2 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;s:3000000:2999999999=1' PX 90000 => rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;b:60000000:9000000000000000:60000000:1:3:3:' PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;b:180000000:9000000000000000:60000000:1:3:3:' PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;b:180000000:9000000000000000:60000000:1:3:3:' PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 30000000
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;b:90000000:9000000000000000:30000000:1:3:3:' PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
=> rate_limit:{rate_limit:ip}:p 'bucket 9007199254740991 60000000 9007199254740991' take 1 0
=> rate_limit:{rate_limit:ip}:p 'bucket 0 60000000 0' take 1 0
=> rate_limit:{rate_limit:ip}:p 'fixed 0 60000000 0' take 1 0
SET rate_limit:{rate_limit:ip}:p 60000000:9000000000000000:60000000:1:3:3 PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
SET rate_limit:{rate_limit:ip}:p 180000000:9000000000000000:60000000:1:3:3 PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
SET rate_limit:{rate_limit:ip}:p 120000000:9000000000000000:60000000:1:3:3 PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' reserve 1 0
SET rate_limit:{rate_limit:ip}:p 120000000:9000000000000000:60000000:1:3:3 PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' peek 1 0
SET rate_limit:{rate_limit:ip}:p 120000000:9000000000000000:60000000:1:3:3 PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 6 60000000 6' take 1 0
SET rate_limit:{rate_limit:ip}:p 120000000:9000000000000000:60000000:1:3:3 PX 90000 => rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
SET rate_limit:{rate_limit:ip}:p 120000000:1000000:60000000:1:3:3 PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
SET rate_limit:{rate_limit:ip}:p 1:1:60000000:1:3:3:4 PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
=> rate_limit:{rate_limit:ip}:p 'bucket 1000000 3600000000 1000000' take 5000 0
=> rate_limit:{rate_limit:ip}:p 'calendar 3  2' take 1 0
=> rate_limit:{rate_limit:ip}:p 'calendar 3 1,2 2' take 1 0
=> rate_limit:{rate_limit:ip}:p 'calendar 3 1,4102444800000 2' take 1 0
=> rate_limit:{rate_limit:ip}:p 'calendar 3 1,2,4102444800000 2' take 4 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;c:2:3:4102444800000' PX 90000 => rate_limit:{rate_limit:ip}:p 'calendar 3  2' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;c:2:2:4102444800000' PX 90000 => rate_limit:{rate_limit:ip}:p 'calendar 3  2' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;c:2:2:1000' PX 90000 => rate_limit:{rate_limit:ip}:p 'calendar 3  2' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;c:3:2:4102444800000' PX 90000 => rate_limit:{rate_limit:ip}:p 'calendar 3 1,4102444800000 2' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;f:3:8999999990000000' PX 90000 => rate_limit:{rate_limit:ip}:p 'calendar 3 1,4102444800000 2' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;c:2:3:4102444800000' PX 90000 => rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;f:3:8999999990000000' PX 90000 => rate_limit:{rate_limit:ip}:p 'sliding 3 60000000 10' take 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;f:3:8999999990000000' PX 90000 => rate_limit:{rate_limit:ip}:p 'bucket 3 60000000 3' take 1 0
=> rate_limit:{rate_limit:ip}:p 'none 3 60000000 0' take 1 0
=> rate_limit:{rate_limit:ip}:p 'fixed x 60000000 0' take 1 0
=> rate_limit:{rate_limit:ip}:p 'fixed 3 x 0' take 1 0
=> rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take x 0
=> rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 x
=> rate_limit:{rate_limit:ip}:p 'fixed 3 60000000 0' take 1 ''
=> rate_limit:{rate_limit:ip}:p
",
    },
    Cases {
        script: &TAKE_ALL,
        how: Micros,
        after: &["PTTL rate_limit:{rate_limit:ip}:p", "TYPE rate_limit:{rate_limit:ip}:p"],
        lines: "
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 1 0
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 1 1
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 4 0
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 4 1
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 0 0
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 0 1
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;f:3:8999999990000000' PX 90000 => rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 1 0
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;f:3:8999999990000000' PX 90000 => rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 1 1
=> rate_limit:{rate_limit:ip}:p calendar 3 '' 2 1 0
=> rate_limit:{rate_limit:ip}:p calendar 3 '' 2 1 1
=> rate_limit:{rate_limit:ip}:p calendar 3 1,4102444800000 2 1 0
=> rate_limit:{rate_limit:ip}:p calendar 3 1,4102444800000 2 1 1
RPUSH rate_limit:{rate_limit:ip}:p x => rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 1 0
RPUSH rate_limit:{rate_limit:ip}:p x => rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 1 1
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0
=> rate_limit:{rate_limit:ip}:p
",
    },
    Cases {
        script: &CHANGE,
        how: Micros,
        after: &["PTTL rate_limit:{rate_limit:ip}:p", "TYPE rate_limit:{rate_limit:ip}:p"],
        lines: "
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 block 30000000 '' rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 block 30000000 '' rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 block_afresh 30000000 '' rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;3;9000000050000000;f:2:8999999990000000' PX 90000 => rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 block_afresh 60000000 '' rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 unblock 0 '' rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 unblock 0 '' rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 reset 0 '' rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 reset 0 '' rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 override 30000000 5 rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 override 30000000 5 rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 override 0 5 rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 override 0 5 rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 restore 0 '' rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 restore 0 '' rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 block 30000000 '' rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 block 30000000 '' rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 block_afresh 30000000 '' rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;3;9000000050000000;b:120000000:9000000000000000:60000000:1:3:3:' PX 90000 => rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 block_afresh 60000000 '' rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 unblock 0 '' rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 unblock 0 '' rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 reset 0 '' rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 reset 0 '' rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 override 30000000 5 rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 override 30000000 5 rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 override 0 5 rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 override 0 5 rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 restore 0 '' rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;9000000030000000;0:2;9000000000000000;0;0;' PX 90000 => rate_limit:{rate_limit:ip}:p bucket 3 60000000 3 restore 0 '' rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;f:2:8999999990000000' PX 90000 => rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 reset 0 '' rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p calendar 3 '' 2 block 30000000 '' rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;c:2:2:4102444800000' PX 90000 => rate_limit:{rate_limit:ip}:p calendar 3 '' 2 reset 0 '' rate_limit:{rate_limit:}:changes
RPUSH rate_limit:{rate_limit:ip}:p x => rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 block 30000000 '' rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 block x '' rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p fixed 3 60000000 0 block
",
    },
    Cases {
        script: &SETTLE,
        how: Micros,
        after: &["PTTL rate_limit:{rate_limit:ip}:p", "TYPE rate_limit:{rate_limit:ip}:p", "PTTL rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef"],
        lines: "
=> rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef fixed 3 60000000 0 2 1 '' 1 rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef 1 PX 60000 => rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef fixed 3 60000000 0 2 1 '' 1 rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;f:2:8999999990000000' PX 90000 => rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef fixed 3 60000000 0 2 1 9000000000000000/9000000600000000/8999999990000000 1 rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;f:2:8999999990000000' PX 90000 => rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef fixed 3 60000000 0 2 0 9000000000000000/9000000600000000/8999999980000000 1 rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;f:2:8999999990000000' PX 90000 => rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef fixed 3 60000000 0 2 9 9000000000000000/9000000600000000/8999999990000000 0 rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;b:120000000:9000000000000000:60000000:1:3:3:' PX 90000 => rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef bucket 3 60000000 3 2 0 9000000000000000/9000000600000000/2 1 rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;s:6000000:1499999999=2' PX 90000 => rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef sliding 3 60000000 10 2 1 9000000000000000/9000000600000000/6000000:1499999999 1 rate_limit:{rate_limit:}:changes
SET rate_limit:{rate_limit:ip}:p '9000000000000000;0;;9000000000000000;3;9000000050000000;c:2:2:4102444800000' PX 90000 => rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef calendar 3 '' 2 2 0 9000000000000000/9000000600000000/4102444800000 1 rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef calendar 3 '' 2 2 0 9000000000000000/9000000600000000/4102444800000 1 rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef fixed 3 60000000 0 2 5 1/1/1 1 rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef fixed 3 60000000 0 2 5 1/99999999999999999999/1 1 rate_limit:{rate_limit:}:changes
RPUSH rate_limit:{rate_limit:ip}:p x => rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef fixed 3 60000000 0 2 1 '' 1 rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef fixed 3 60000000 0 2 1 '' x rate_limit:{rate_limit:}:changes
=> rate_limit:{rate_limit:ip}:p rate_limit:{rate_limit:ip}:p:settled:0123456789abcdef fixed 3 60000000 0 2
",
    },
    Cases {
        script: &ACQUIRE_SLOT,
        how: Loosely,
        after: &["ZCARD rate_limit:{rate_limit:ip}:p", "PTTL rate_limit:{rate_limit:ip}:p", "TYPE rate_limit:{rate_limit:ip}:p"],
        lines: "
=> rate_limit:{rate_limit:ip}:p 2 60000 a
=> rate_limit:{rate_limit:ip}:p 0 60000 a
ZADD rate_limit:{rate_limit:ip}:p 9000000000000 b => rate_limit:{rate_limit:ip}:p 2 60000 a
ZADD rate_limit:{rate_limit:ip}:p 9000000000000 b 9000000000000 c => rate_limit:{rate_limit:ip}:p 2 60000 a
ZADD rate_limit:{rate_limit:ip}:p 9000000000000 a 9000000000000 c => rate_limit:{rate_limit:ip}:p 2 60000 a
ZADD rate_limit:{rate_limit:ip}:p 1 b 2 c => rate_limit:{rate_limit:ip}:p 2 60000 a
ZADD rate_limit:{rate_limit:ip}:p 1 a 9000000000000 c => rate_limit:{rate_limit:ip}:p 1 60000 a
SET rate_limit:{rate_limit:ip}:p x => rate_limit:{rate_limit:ip}:p 2 60000 a
=> rate_limit:{rate_limit:ip}:p x 60000 a
=> rate_limit:{rate_limit:ip}:p 2 x a
=> rate_limit:{rate_limit:ip}:p 2 60000
=> rate_limit:{rate_limit:ip}:p
",
    },
    Cases {
        script: &RENEW_SLOT,
        how: Loosely,
        after: &["ZCARD rate_limit:{rate_limit:ip}:p", "PTTL rate_limit:{rate_limit:ip}:p", "TYPE rate_limit:{rate_limit:ip}:p"],
        lines: "
=> rate_limit:{rate_limit:ip}:p a 60000
ZADD rate_limit:{rate_limit:ip}:p 9000000000000 a => rate_limit:{rate_limit:ip}:p a 60000
ZADD rate_limit:{rate_limit:ip}:p 1 a => rate_limit:{rate_limit:ip}:p a 60000
ZADD rate_limit:{rate_limit:ip}:p 9000000000000 b => rate_limit:{rate_limit:ip}:p a 60000
SET rate_limit:{rate_limit:ip}:p x => rate_limit:{rate_limit:ip}:p a 60000
ZADD rate_limit:{rate_limit:ip}:p 9000000000000 a => rate_limit:{rate_limit:ip}:p a x
ZADD rate_limit:{rate_limit:ip}:p 9000000000000 a => rate_limit:{rate_limit:ip}:p a
=> rate_limit:{rate_limit:ip}:p
",
    },
];
