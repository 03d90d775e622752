//! The scripts of a queue, each with the files that it includes.
//!
//! Each uses three keys and computes the others. The keys that it uses are declared after those three, for servers
//! that refuse undeclared keys. A script that finds in the queue which jobs it is about cannot declare them: it has
//! `undeclared_keys`, and may use any key of the queue. All of them are in one hash slot.
//!
//! In a cluster computed keys would be a danger: while a slot is moving, the new node creates a key that it does not
//! have yet. But it rejects requests with several keys of which one is missing, and so does the old node: both reply
//! TRYAGAIN, and the call is retried once the slot has moved. The first key never exists: it is the prefix of all
//! others. Nor does the third, the prefix of the channels.

use cinnabar_port::script;

script!(
    ADD = "queue/add.lua", keys: 3, args: 7, is: [same_keys],
    with: ["../keys/queue.lua", "clock.lua", "queue/shared.lua", "queue/publish.lua", "queue/batch.lua", "queue/add_job.lua"],
    end: "reply = flush(reply)"
);
script!(
    TAKE = "queue/take.lua", keys: 3, args: 21, is: [same_keys, undeclared_keys],
    with: [
        "../keys/queue.lua", "clock.lua", "queue/shared.lua", "queue/publish.lua", "queue/groups.lua", "queue/leases.lua",
        "queue/retention.lua", "queue/outcomes.lua", "queue/clock_trust.lua", "queue/reclaim.lua", "queue/promote.lua",
        "queue/reserved.lua", "queue/limits.lua", "queue/start_ceiling.lua", "queue/lease_jobs.lua", "queue/pick.lua",
        "queue/suspect_limits.lua", "queue/pick_suspect.lua", "queue/yield.lua", "queue/parked.lua", "queue/next_due.lua",
        "queue/prune.lua", "queue/take_ready.lua",
    ]
);
script!(
    RECOVER = "queue/recover.lua", keys: 3, args: 1, is: [same_keys, undeclared_keys],
    with: ["../keys/queue.lua", "queue/shared.lua", "queue/publish.lua", "queue/leases.lua"]
);
script!(
    FINISH = "queue/finish.lua", keys: 3, args: 0, is: [same_keys, undeclared_keys],
    with: [
        "../keys/queue.lua", "clock.lua", "queue/shared.lua", "queue/publish.lua", "queue/groups.lua", "queue/leases.lua",
        "queue/retention.lua", "queue/outcomes.lua", "queue/outcome.lua",
    ]
);
script!(
    RENEW = "queue/renew.lua", keys: 3, args: 0, is: [same_keys],
    with: ["../keys/queue.lua", "clock.lua", "queue/shared.lua", "queue/publish.lua", "queue/leases.lua"]
);
script!(
    REPORT = "queue/report.lua", keys: 3, args: 0, is: [same_keys],
    with: ["../keys/queue.lua", "clock.lua", "queue/shared.lua", "queue/publish.lua", "queue/leases.lua"]
);
script!(
    GET = "queue/get.lua", keys: 3, args: 1, is: [same_keys],
    with: ["../keys/queue.lua", "queue/leases.lua", "queue/view.lua"]
);
script!(
    PEEK = "queue/peek.lua", keys: 3, args: 2, is: [same_keys],
    with: ["../keys/queue.lua", "queue/leases.lua", "queue/view.lua"]
);
script!(REMOVE_WAITER = "queue/remove_waiter.lua", keys: 3, args: 1, is: [same_keys], with: ["../keys/queue.lua"]);
script!(
    LIST = "queue/list.lua", keys: 3, args: 4, is: [same_keys, undeclared_keys],
    with: ["../keys/queue.lua", "queue/leases.lua", "queue/view.lua"]
);
script!(COUNTS = "queue/counts.lua", keys: 3, args: 0, is: [same_keys], with: ["../keys/queue.lua"]);
script!(PAUSE = "queue/pause.lua", keys: 3, args: 1, is: [same_keys], with: ["../keys/queue.lua"]);
script!(
    REMOVE = "queue/remove.lua", keys: 3, args: 1, is: [same_keys, undeclared_keys],
    with: [
        "../keys/queue.lua", "queue/shared.lua", "queue/publish.lua", "queue/groups.lua", "queue/leases.lua", "queue/retention.lua",
        "queue/erase.lua",
    ]
);
script!(
    SWEEP = "queue/sweep.lua", keys: 3, args: 5, is: [same_keys, undeclared_keys],
    with: [
        "../keys/queue.lua", "clock.lua", "queue/shared.lua", "queue/publish.lua", "queue/groups.lua", "queue/leases.lua",
        "queue/retention.lua", "queue/erase.lua",
    ]
);
script!(
    RETRY = "queue/retry.lua", keys: 3, args: 1, is: [same_keys, undeclared_keys],
    with: ["../keys/queue.lua", "queue/shared.lua", "queue/publish.lua", "queue/retention.lua", "queue/restart.lua"]
);
script!(
    REDRIVE = "queue/redrive.lua", keys: 3, args: 3, is: [same_keys, undeclared_keys],
    with: ["../keys/queue.lua", "clock.lua", "queue/shared.lua", "queue/publish.lua", "queue/retention.lua", "queue/restart.lua"]
);
script!(
    REPEAT_PEEK = "queue/repeat/peek.lua", keys: 3, args: 1, is: [same_keys],
    with: ["../keys/queue.lua", "clock.lua", "queue/shared.lua", "queue/publish.lua"]
);
script!(
    REPEAT_PUT = "queue/repeat/put.lua", keys: 3, args: 9, is: [same_keys],
    with: ["../keys/queue.lua", "clock.lua", "queue/shared.lua", "queue/publish.lua"]
);
script!(REPEAT_REMOVE = "queue/repeat/remove.lua", keys: 3, args: 1, is: [same_keys], with: ["../keys/queue.lua"]);
script!(REPEAT_LIST = "queue/repeat/list.lua", keys: 3, args: 2, is: [same_keys, undeclared_keys], with: ["../keys/queue.lua"]);
script!(
    REPEAT_DUE = "queue/repeat/due.lua", keys: 3, args: 1, is: [same_keys],
    with: ["../keys/queue.lua", "clock.lua", "queue/shared.lua", "queue/publish.lua"]
);
script!(
    REPEAT_FIRE = "queue/repeat/fire.lua", keys: 3, args: 5, is: [same_keys, undeclared_keys],
    with: ["../keys/queue.lua", "clock.lua", "queue/shared.lua", "queue/publish.lua", "queue/batch.lua", "queue/add_job.lua"],
    end: "reply = flush(reply)"
);
