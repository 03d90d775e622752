'use strict'

const { argumentError } = require('./error.js')

/**
 * What is wrong with an options object, as an error to throw or reject with; `null` when nothing is. Never throws.
 * `within` stands before the names of options that belong to another one.
 */
function refuseOptions(options, names, within = '') {
  if (options === undefined) return null
  try {
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
      return argumentError(`options must be an object, got ${describe(options)}`)
    }
    const unknown = Object.keys(options).find((name) => !names.includes(name))
    return unknown === undefined ? null : unknownOption(unknown, names, within)
  } catch (error) {
    // A proxy may throw at any look.
    return argumentError('options could not be read', error)
  }
}

function unknownOption(name, names, within) {
  const near = nearest(name, names)
  const hint = near ? `; did you mean "${within}${near}"?` : `; known options: ${names.join(', ')}`
  return argumentError(`unknown option "${within}${shorten(name)}"${hint}`)
}

/** Throws what `refuseOptions` finds. */
function assertOptions(options, names, within) {
  const error = refuseOptions(options, names, within)
  if (error) throw error
}

/**
 * The object's own options of these names, each read once: a getter may throw or return something else the next time. Inherited
 * properties are ignored, since `Object.prototype` may be polluted. Throws for unknown names, as `assertOptions` does.
 */
function ownOptions(options, names, within = '') {
  assertOptions(options, names, within)
  const own = { __proto__: null }
  if (options === undefined) return own
  for (const name of names) {
    try {
      if (Object.hasOwn(options, name)) own[name] = options[name]
    } catch (error) {
      throw argumentError(`reading the option ${within}${name} threw`, error)
    }
  }
  return own
}

/** Throws unless it is a function. */
function assertFunction(value, name) {
  if (typeof value !== 'function') throw argumentError(`${name} must be a function, got ${describe(value)}`)
}

/** Throws unless it is a valid number of milliseconds. */
function assertMilliseconds(value, name) {
  if (typeof value === 'number' && value >= 1 && value <= 2 ** 31 - 1) return
  const got = typeof value === 'number' ? String(value) : describe(value)
  throw argumentError(`${name} must be a number of milliseconds from 1 to 2^31, got ${got}`)
}

/** Describes the type of a value, never the value itself, which may be a secret. */
function describe(value) {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return { undefined: 'undefined', object: 'an object' }[typeof value] ?? `a ${typeof value}`
}

function shorten(name) {
  return name.length > 40 ? `${name.slice(0, 40)}…` : name
}

function nearest(name, names) {
  if (name.length > 40) return undefined
  let best
  let least = Math.max(1, Math.floor(name.length / 2)) + 1
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < least) {
      best = candidate
      least = distance
    }
  }
  return best
}

function editDistance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, row[j] + 1, next[j - 1] + 1))
    }
    row = next
  }
  return row[b.length]
}

module.exports = { assertFunction, assertMilliseconds, assertOptions, describe, ownOptions }
