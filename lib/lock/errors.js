'use strict'

const { CinnabarError } = require('../error.js')

// Of a resource in a message.
const MOST_CHARACTERS = 200

function lostError(resource, details) {
  return new CinnabarError(`The lock was lost: ${shortened(resource)}`, { code: 'E_LOCK_LOST', ...details })
}

/** A resource for a message: it may come from a client, and be 64 KiB long. */
function shortened(resource) {
  return resource.length > MOST_CHARACTERS ? `${resource.slice(0, MOST_CHARACTERS)}…` : resource
}

module.exports = { lostError, shortened }
