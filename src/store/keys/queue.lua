-- The keys of a queue, by what stands behind `queue:{queue:<name>}:`. Here, because this is where keys are spelled.
-- Jobs by state: sorted sets of ids. A job that has no room in its group is parked, and one with which a worker may have crashed
-- is a suspect, which runs alone; both count as ready.
local READY, DELAYED, LEASED, DONE, DEAD, PARKED = 'ready', 'delayed', 'leased', 'done', 'dead', 'parked'
local SUSPECTS = 'suspects'
-- Hashes: who holds which job; the last number given to a job, whether it is paused, the bytes of finished jobs.
local LEASES, META = 'leases', 'meta'
-- One each for a job: a hash, the lines of its log.
local JOB, LOG = 'job:', 'log:'
-- A hash: for how many processes each job is waited for. One each for a job that they waited for: how it ended.
local WAITED, END = 'waited', 'end:'
-- One each for what jobs are the same by: the id of the one there is.
local SAME = 'dedup:'
-- One each for a group: those parked, those active, when the last started. When which group may go on.
local PARKED_OF, ACTIVE_OF, STARTS_OF, RESUME = 'parked:', 'active:', 'starts:', 'resume'
-- When the last jobs started.
local STARTS = 'starts'
-- When which repeat is due; a hash for each.
local REPEATS, REPEAT = 'repeats', 'repeat:'
-- Channels, behind what the third key says.
local EVENTS, WAKE = 'events', 'wake'
