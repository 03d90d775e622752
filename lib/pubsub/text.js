'use strict'

const { parse } = JSON

/** A value by its JSON. Other programs publish plain text on the same channels: it is delivered as it is. */
function parseText(text) {
  try {
    return parse(text)
  } catch {
    return text
  }
}

module.exports = { parseText }
