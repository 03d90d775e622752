'use strict'

const { hasOwn } = Object

/** Copies what JSON.parse has returned, which is several times as fast as parsing it again. */
function copyJson(value) {
  if (typeof value !== 'object' || value === null) return value
  return Array.isArray(value) ? copyArray(value) : copyObject(value)
}

function copyArray(array) {
  const copy = array.slice()
  for (let at = 0; at < copy.length; at++) {
    const item = copy[at]
    if (typeof item === 'object' && item !== null) copy[at] = copyJson(item)
  }
  return copy
}

function copyObject(object) {
  const copy = { ...object }
  for (const name in copy) {
    const field = copy[name]
    // A field of its own: `Object.prototype` may be polluted.
    if (typeof field === 'object' && field !== null && hasOwn(copy, name)) copy[name] = copyJson(field)
  }
  return copy
}

module.exports = { copyJson }
