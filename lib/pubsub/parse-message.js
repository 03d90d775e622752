'use strict'

const { parse } = JSON

/** Parses a message as JSON. Text that is not JSON, published by other programs, is delivered unchanged, and so are bytes. */
function parseMessage(text) {
  if (typeof text !== 'string') return text
  try {
    return parse(text)
  } catch {
    return text
  }
}

module.exports = { parseMessage }
