'use strict'

const { types } = require('node:util')

const { argumentError } = require('../error.js')
const { describe, describeNumber, isArray } = require('../options.js')

/**
 * Returns a function that checks the arguments of a command, an array, and returns them for the wire. A `?` after a name marks an optional
 * parameter; `...` before the last one takes any number, arrays of them included, and `+` after its name at least one. A parameter
 * is checked as its name in `KINDS` says, or as the name after its `:`, such as `increment:score`; any other is a word.
 */
function takes(...parameters) {
  const names = parameters.map((parameter) => parameter.replace(/:.*/, ''))
  const last = names.at(-1)
  const rest = last?.startsWith('...') ? last.replace(/^\.\.\.|\+$/g, '') : undefined
  const fixed = (rest === undefined ? parameters : parameters.slice(0, -1)).map((parameter) => {
    const [name, kind = name] = parameter.replace('?', '').split(':')
    return { name, check: KINDS[kind] ?? word, isOptional: parameter.endsWith('?') }
  })
  const least = last?.endsWith('+') ? 1 : 0
  return (args) => {
    if (rest === undefined) withinCount(args, names)
    const wire = []
    for (let at = 0; at < fixed.length; at++) {
      const { name, check, isOptional } = fixed[at]
      const value = args[at]
      if (value !== undefined || !isOptional) wire.push(check(value, name))
    }
    if (rest === undefined) return wire
    const more = flatten(args.slice(fixed.length))
    if (more.length < least) throw argumentError(`at least one ${rest} is required`)
    for (let at = 0; at < more.length; at++) wire.push(word(more[at], rest, at))
    return wire
  }
}

/**
 * The arguments, with the items of arrays among them in their place, to that depth. A hole is an undefined item, as no command takes:
 * without it, the replies to those behind would be in other places.
 */
function flatten(args, depth = 1) {
  if (!args.some(isArray)) return args
  const all = []
  for (const value of args) {
    if (!isArray(value)) all.push(value)
    else for (const item of depth > 1 ? flatten(Array.from(value), depth - 1) : value) all.push(item)
  }
  return all
}

/** Throws if there are more arguments than a command takes. What is beyond them may be `undefined`. */
function withinCount(args, names) {
  if (args.length <= names.length) return
  const extra = args.slice(names.length).findIndex((value) => value !== undefined)
  if (extra < 0) return
  const expected = names.length === 0 ? 'no arguments' : `only (${names.join(', ')})`
  throw argumentError(`it takes ${expected}, got ${names.length + extra + 1} arguments`)
}

/** A string, a finite number or bytes; of several, the one at this index. */
function word(value, name, at) {
  if (typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))) return value
  if (types.isUint8Array(value)) return value
  throw argumentError(`${indexed(name, at)} must be a string, a finite number or a Uint8Array, got ${describe(value)}`)
}

function indexed(name, at) {
  return at === undefined ? name : `${name}[${at}]`
}

/** A whole number. */
function whole(value, name) {
  if (!Number.isSafeInteger(value)) {
    throw argumentError(`${name} must be a whole number, got ${describeNumber(value)}`)
  }
  return value
}

/** A whole number, or its decimal digits: a string can hold those beyond 2^53. */
function digits(value, name) {
  return typeof value === 'string' && /^(0|-?[1-9]\d*)$/.test(value) ? value : whole(value, name)
}

/** A whole number from 1. */
function positive(value, name) {
  if (whole(value, name) < 1) throw argumentError(`${name} must be at least 1, got ${value}`)
  return value
}

/** A whole number from 0, or its digits. */
function natural(value, name) {
  if (Number(digits(value, name)) < 0) throw argumentError(`${name} must not be negative, got ${value}`)
  return value
}

/** A score in the form that Redis takes; of several, the one at this index. */
function score(value, name, at) {
  if (typeof value === 'number' && !Number.isNaN(value)) return infinityAsText(value)
  throw argumentError(`${indexed(name, at)} must be a number, got ${describe(value)}`)
}

/** A bound of a range of scores. */
function bound(value, name) {
  if (typeof value === 'number') return score(value, name)
  const number = typeof value === 'string' ? value.replace(/^\(/, '') : ''
  if (/^[-+]?inf(inity)?$/i.test(number) || (number.trim() !== '' && !Number.isNaN(Number(number)))) return value
  throw argumentError(
    `${name} must be a score, such as 5, "(5" (exclusive), "-inf" or "+inf", got ${
      typeof value === 'string' ? 'another string' : describe(value)
    }`,
  )
}

function infinityAsText(value) {
  if (value === Infinity) return '+inf'
  return value === -Infinity ? '-inf' : value
}

/** A check for one of these words, in either case. */
function oneOf(...words) {
  return (value, name) => {
    if (typeof value === 'string' && words.includes(value.toUpperCase())) return value
    throw argumentError(`${name} must be ${words.map((word) => `"${word}"`).join(' or ')}, got ${describe(value)}`)
  }
}

// By the names of parameters.
const KINDS = {
  count: natural,
  cursor: natural,
  decrement: digits,
  increment: digits,
  max: bound,
  min: bound,
  mode: oneOf('ASYNC', 'SYNC'),
  ms: whole,
  numberOfKeys: natural,
  only: oneOf('NX', 'XX', 'GT', 'LT'),
  score,
  seconds: whole,
  start: digits,
  stop: digits,
}

module.exports = { bound, digits, flatten, natural, positive, score, takes, whole, withinCount, word }
