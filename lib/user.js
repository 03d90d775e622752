'use strict'

const { argumentError } = require('./error.js')
const { describe } = require('./options.js')

/**
 * The ids under which a loaded user is signed out: what `userId` answers of them, or else all that are found where users
 * have their ids. Where there are several, such as a session's and its user's, any of them signs out; that costs
 * a load at the most.
 */
function idsOf(user, userId) {
  if (userId) {
    const id = idIn(userId(user))
    if (id === undefined) throw argumentError('the function given as userId must answer a string or a whole number')
    return [id]
  }
  const found =
    typeof user === 'object' ? [user.userId, user.id, user._id, user.sub, user.user?.id].map(idIn) : [undefined]
  const ids = [...new Set(found.filter((id) => id !== undefined))]
  if (ids.length === 0) {
    throw argumentError(
      `load answered ${describe(user)} without an id in userId, id, _id, sub or user.id, so invalidateUser could never ` +
        'sign it out: say where its id is, by the option userId: (user) => …',
    )
  }
  return ids
}

function idIn(value) {
  if (typeof value === 'string') return value === '' ? undefined : value
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value)
  // Such as the ObjectId of a document database, which is JSON as a string.
  return typeof value === 'object' && typeof value?.toJSON === 'function' ? idIn(value.toJSON()) : undefined
}

module.exports = { idsOf }
