'use strict'

// The options of the calls of a cache.

const { argumentError } = require('../error.js')
const names = require('../option-names.js')
const { describe, ownOptions, stringsOf } = require('../options.js')
const { assertTtl, withFiniteTtl } = require('../ttl.js')
const { LOAD_OPTIONS } = require('./load-options.js')

const SET_OPTIONS = Object.keys(names.cacheSet)
const GET_OPTIONS = ['frozen']
const LOOKUP_OPTIONS = [...SET_OPTIONS, ...GET_OPTIONS, ...LOAD_OPTIONS]
const ENTRY = ['key', 'value', ...SET_OPTIONS]

function isFrozenBy({ frozen = false }, codec) {
  if (typeof frozen !== 'boolean') throw argumentError(`frozen must be true or false, got ${describe(frozen)}`)
  // A Map or a Date cannot be frozen.
  if (frozen && codec) throw argumentError("frozen needs the codec 'json'")
  return frozen
}

/** An entry of `setMany`. */
function entryOf(entry, at) {
  if (entry === undefined) throw argumentError(`entries[${at}] must be an object, got undefined`)
  return withFiniteTtl(ownOptions(entry, ENTRY, `entries[${at}].`))
}

/** How a loaded value is to be stored. Checked before `load` runs, although the store needs it only after it. */
function setOptionsOf(own) {
  const { ttl, staleWhileRevalidate, staleIfError } = withFiniteTtl(own)
  if (ttl !== undefined) assertTtl(ttl, 'ttl')
  if (staleWhileRevalidate !== undefined) assertTtl(staleWhileRevalidate, 'staleWhileRevalidate')
  if (staleIfError !== undefined) assertTtl(staleIfError, 'staleIfError')
  const tags = own.tags === undefined ? undefined : stringsOf(own.tags, 'tags')
  return { ttl, tags, staleWhileRevalidate, staleIfError }
}

module.exports = { GET_OPTIONS, LOOKUP_OPTIONS, SET_OPTIONS, entryOf, isFrozenBy, setOptionsOf }
