'use strict'

const { argumentError } = require('../error.js')
const { describe } = require('../options.js')

/**
 * The ids by which a loaded user can be signed out: the result of `userId(user)`, otherwise the values of all the default id fields.
 * If there are several, such as the id of a session and that of its user, each of them works; a wrong match costs one extra load.
 */
function idsOf(user, userId) {
  if (userId) {
    const id = idIn(userId(user))
    if (id === undefined) throw argumentError('the userId function must return a non-empty string or an integer')
    return [id]
  }
  const found =
    typeof user === 'object' ? [user.userId, user.id, user._id, user.sub, user.user?.id].map(idIn) : [undefined]
  const ids = [...new Set(found.filter((id) => id !== undefined))]
  if (ids.length === 0) {
    throw argumentError(
      `load returned ${describe(user)} without an id in userId, id, _id, sub or user.id, so invalidateUser could not ` +
        'sign the user out. Set the option userId: (user) => … to a function that returns the id',
    )
  }
  return ids
}

function idIn(value) {
  if (typeof value === 'string') return value === '' ? undefined : value
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value)
  // Such as a MongoDB ObjectId, whose JSON is a string.
  return typeof value === 'object' && typeof value?.toJSON === 'function' ? idIn(value.toJSON()) : undefined
}

// JSON writes these values as null or not at all, which would mean a session without a user.
function userIdError(what, data) {
  let userId
  try {
    userId = data?.userId
  } catch {
    return undefined // Writing it as JSON fails too, and says so.
  }
  const isLost = typeof userId === 'number' ? !Number.isFinite(userId) : ['function', 'symbol'].includes(typeof userId)
  if (!isLost) return undefined
  return argumentError(`${what}.userId must be a non-empty string, a whole number or null, not ${describe(userId)}`)
}

module.exports = { idsOf, userIdError }
