'use strict'

/** Sessions as the native side describes them, with their ttl in seconds. */
function describedOf(described) {
  return described.map(({ publicId, ttlMs, current, session }) => ({
    publicId,
    session,
    ttl: Math.ceil(ttlMs / 1000),
    current,
  }))
}

module.exports = { describedOf }
