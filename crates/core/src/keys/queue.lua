-- The suffixes of a queue's keys, after `queue:{queue:<name>}:`. They are defined here because all keys are built in this
-- folder. Jobs by state: sorted sets of ids. A job whose group is full is parked; a job with which two workers crashed is a
-- suspect, which runs alone. Both count as ready.
local READY, DELAYED, LEASED, DONE, DEAD, PARKED = 'ready', 'delayed', 'leased', 'done', 'dead', 'parked'
local SUSPECTS = 'suspects'
-- Hashes: the lease of each job; the last job number, whether the queue is paused, the bytes of finished jobs.
local LEASES, META = 'leases', 'meta'
-- Per job: a hash, the lines of its log.
local JOB, LOG = 'job:', 'log:'
-- A hash: the number of processes that wait for each job. Per job that was waited for: its outcome.
local WAITERS, OUTCOME = 'waited', 'end:'
-- Per deduplication key: the id of the existing job.
local DEDUP = 'dedup:'
-- Per group: parked jobs, active jobs, recent start times. When each rate-limited group may resume.
local GROUP_PARKED, GROUP_ACTIVE, GROUP_STARTS, RESUME = 'parked:', 'active:', 'starts:', 'resume'
-- Recent start times.
local STARTS = 'starts'
-- When each repeat is due; a hash for each.
local REPEATS, REPEAT = 'repeats', 'repeat:'
-- Channels, appended to the third key.
local EVENTS, WAKE = 'events', 'wake'
