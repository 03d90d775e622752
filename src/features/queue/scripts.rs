//! The scripts of a queue, each with the files that it shares with others.

use crate::store::script;

script!(
    ADD = "queue/add.lua", keys: 1, args: 6,
    with: ["../store/keys/queue.lua", "queue/shared.lua", "queue/batch.lua", "queue/adding.lua"],
    end: "flush()"
);
script!(
    TAKE = "queue/take.lua", keys: 1, args: 17,
    with: [
        "../store/keys/queue.lua", "queue/shared.lua", "queue/groups.lua", "queue/leases.lua", "queue/finished.lua",
        "queue/reap.lua", "queue/promote.lua", "queue/limits.lua", "queue/pick.lua", "queue/rest.lua",
    ]
);
script!(
    RECOVER = "queue/recover.lua", keys: 1, args: 1,
    with: ["../store/keys/queue.lua", "queue/shared.lua"]
);
script!(
    FINISH = "queue/finish.lua", keys: 1, args: 0,
    with: [
        "../store/keys/queue.lua", "queue/shared.lua", "queue/groups.lua", "queue/leases.lua", "queue/finished.lua",
        "queue/outcome.lua",
    ]
);
script!(
    BEAT = "queue/beat.lua", keys: 1, args: 0,
    with: ["../store/keys/queue.lua", "queue/shared.lua", "queue/leases.lua"]
);
script!(
    REPORT = "queue/report.lua", keys: 1, args: 0,
    with: ["../store/keys/queue.lua", "queue/shared.lua", "queue/leases.lua"]
);
script!(
    GET = "queue/get.lua", keys: 1, args: 1,
    with: ["../store/keys/queue.lua", "queue/leases.lua", "queue/view.lua"]
);
script!(
    LIST = "queue/list.lua", keys: 1, args: 4,
    with: ["../store/keys/queue.lua", "queue/leases.lua", "queue/view.lua"]
);
script!(COUNTS = "queue/counts.lua", keys: 1, args: 0, with: ["../store/keys/queue.lua"]);
script!(PAUSE = "queue/pause.lua", keys: 1, args: 1, with: ["../store/keys/queue.lua"]);
script!(
    REMOVE = "queue/remove.lua", keys: 1, args: 1,
    with: [
        "../store/keys/queue.lua", "queue/shared.lua", "queue/groups.lua", "queue/leases.lua", "queue/finished.lua",
        "queue/erase.lua",
    ]
);
script!(
    SWEEP = "queue/sweep.lua", keys: 1, args: 5,
    with: [
        "../store/keys/queue.lua", "queue/shared.lua", "queue/groups.lua", "queue/leases.lua", "queue/finished.lua",
        "queue/erase.lua",
    ]
);
script!(
    RETRY = "queue/retry.lua", keys: 1, args: 1,
    with: ["../store/keys/queue.lua", "queue/shared.lua", "queue/finished.lua", "queue/revive.lua"]
);
script!(
    REDRIVE = "queue/redrive.lua", keys: 1, args: 3,
    with: ["../store/keys/queue.lua", "queue/shared.lua", "queue/finished.lua", "queue/revive.lua"]
);
script!(
    REPEAT_LOOK = "queue/repeat/look.lua", keys: 1, args: 1,
    with: ["../store/keys/queue.lua", "queue/shared.lua"]
);
script!(
    REPEAT_PUT = "queue/repeat/put.lua", keys: 1, args: 9,
    with: ["../store/keys/queue.lua", "queue/shared.lua"]
);
script!(REPEAT_REMOVE = "queue/repeat/remove.lua", keys: 1, args: 1, with: ["../store/keys/queue.lua"]);
script!(REPEAT_LIST = "queue/repeat/list.lua", keys: 1, args: 2, with: ["../store/keys/queue.lua"]);
script!(
    REPEAT_DUE = "queue/repeat/due.lua", keys: 1, args: 1,
    with: ["../store/keys/queue.lua", "queue/shared.lua"]
);
script!(
    REPEAT_FIRE = "queue/repeat/fire.lua", keys: 1, args: 5,
    with: ["../store/keys/queue.lua", "queue/shared.lua", "queue/batch.lua", "queue/adding.lua"],
    end: "flush()"
);
