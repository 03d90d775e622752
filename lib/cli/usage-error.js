'use strict'

/** A command line that cannot be run. The message says why, and repeats nothing of it. */
class UsageError extends Error {}

module.exports = { UsageError }
