'use strict'

const { parse } = JSON

/** A value by its JSON. Other programs publish plain text on the same channels, or bytes: they are delivered as they are. */
function parseText(text) {
  if (typeof text !== 'string') return text
  try {
    return parse(text)
  } catch {
    return text
  }
}

module.exports = { parseText }
