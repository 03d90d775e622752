'use strict'

// Reads the values of options.

const { UsageError } = require('./usage-error.js')

const LONGEST_SECONDS = 3600

/** Milliseconds, from seconds as text. */
function milliseconds(text, option) {
  const seconds = /^\d*\.?\d+$/.test(text) ? Number(text) : NaN
  if (seconds >= 0.001 && seconds <= LONGEST_SECONDS) return Math.ceil(seconds * 1000)
  throw new UsageError(`--${option} must be a number of seconds, at most ${LONGEST_SECONDS}`)
}

/** A whole number within these bounds. */
function wholeNumber(text, option, least, most) {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN
  if (number >= least && number <= most) return number
  throw new UsageError(`--${option} must be a whole number from ${least} to ${most}`)
}

/** One of these words. */
function oneOf(text, option, words) {
  if (words.includes(text)) return text
  throw new UsageError(`--${option} must be one of ${words.join(', ')}`)
}

module.exports = { milliseconds, oneOf, wholeNumber }
