'use strict'

const { merged } = require('./merge.js')

const LIFETIME = ['originalMaxAge', 'expires']
// express-session computes the age anew whenever it sets the expiry, which takes some time.
const SAME_AGE_MS = 1000

/** Merges sessions of express-session, and their cookies by field. */
function mergedSession(before, after, current) {
  const result = merged(before, after, current)
  const cookies = [before, after, current].map(({ cookie }) => cookie)
  if (cookies.every(isObject)) result.cookie = mergedCookie(...cookies)
  return result
}

// Every request sets the expiry, so one that sets no other age must not take back that of a request beside it.
function mergedCookie(before, after, current) {
  const result = { ...merged(before, after, current) }
  const from = isSameAge(before, after) && !(isSameAge(before, current) && isLater(after, current)) ? current : after
  for (const name of LIFETIME) {
    if (Object.hasOwn(from, name)) result[name] = from[name]
    else delete result[name]
  }
  return result
}

function isSameAge({ originalMaxAge: one = null }, { originalMaxAge: other = null }) {
  return one === other || (one !== null && other !== null && Math.abs(one - other) <= SAME_AGE_MS)
}

function isLater(one, other) {
  return Number(new Date(one.expires)) > Number(new Date(other.expires))
}

function isObject(value) {
  return typeof value === 'object' && value !== null
}

module.exports = { mergedSession }
