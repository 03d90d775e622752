'use strict'

const { Buffer } = require('node:buffer')

const { CinnabarError } = require('../error.js')

// Limits on how much of an error is stored with its job.
const MOST_CHARACTERS = 8192
const MOST_NAME = 200

/** Serializes what a handler threw to at most `maxBytes` bytes, to be stored with the job. Never throws. */
function writeFailure(thrown, maxBytes) {
  const { name, message, stack, code } = readThrown(thrown)
  const short = { name: cut(name, MOST_NAME), message: cut(message, MOST_CHARACTERS) }
  if (code !== undefined) short.code = typeof code === 'string' ? cut(code, MOST_NAME) : code
  const whole = stack === undefined ? short : { ...short, stack: cut(stack, MOST_CHARACTERS) }
  const shorter = { name: 'Error', message: cut(message, maxBytes >> 4) }
  return (
    [whole, short].map((failure) => JSON.stringify(failure)).find((text) => fits(text, maxBytes)) ??
    JSON.stringify(shorter)
  )
}

// A UTF-16 code unit takes at most three bytes in UTF-8.
function fits(text, maxBytes) {
  return text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes
}

function readThrown(thrown) {
  try {
    if (typeof thrown === 'object' && thrown !== null && typeof thrown.message === 'string') return readError(thrown)
    return { name: 'Error', message: `${nameOf(thrown)} was thrown` }
  } catch {
    return { name: 'Error', message: 'something was thrown that cannot be read' }
  }
}

function readError({ name, message, stack, code }) {
  const text = (value) => (typeof value === 'string' ? value : undefined)
  return { name: text(name) ?? 'Error', message, stack: text(stack), code: Number.isFinite(code) ? code : text(code) }
}

// A thrown string is used as the message.
function nameOf(thrown) {
  if (typeof thrown === 'string') return thrown.length > 0 ? JSON.stringify(thrown) : 'an empty string'
  if (typeof thrown === 'object' && thrown !== null) return JSON.stringify(thrown) ?? 'an object'
  return typeof thrown === 'function' ? 'a function' : String(thrown)
}

function cut(text, most) {
  return text.length > most ? `${text.slice(0, most)}…` : text
}

/** The error with which `finished()` rejects for a dead job. */
function jobFailed(id, failure) {
  const { name, message, stack, code } = failure ?? { name: 'Error', message: 'unknown reason' }
  const cause = new Error(message)
  cause.name = name
  if (code !== undefined) cause.code = code
  cause.stack = stack ?? `${name}: ${message}`
  return new CinnabarError(`job ${JSON.stringify(id)} failed: ${message}`, { code: 'E_JOB_FAILED', cause })
}

module.exports = { jobFailed, writeFailure }
