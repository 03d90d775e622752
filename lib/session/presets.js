'use strict'

const MINUTE = 60
const HOUR = 3600

const lives = (ttl, absoluteTtl) => Object.freeze({ ttl, absoluteTtl, rolling: true })

/** How long sessions live, by who recommends it. types/session.d.ts has the sources. */
const presets = Object.freeze({
  OWASP: lives(30 * MINUTE, 8 * HOUR),
  NIST_AAL2: lives(30 * MINUTE, 12 * HOUR),
  NIST_AAL3: lives(15 * MINUTE, 12 * HOUR),
})

module.exports = { presets }
