'use strict'

// Marks and colours of a terminal.

const { readVariable } = require('../environment-variables.js')

const COLOURS = { error: 31, warning: 33, note: 36, ok: 32, dim: 2 }
const MARKS = { error: '✖', warning: '!', note: '·', ok: '✔' }

/** Returns `paint(colour, text)`, which leaves the text as it is unless `stream` is a terminal without `NO_COLOR`. */
function painter(stream) {
  const coloured = Boolean(stream.isTTY) && !readVariable('NO_COLOR') && !isDumb()
  return (colour, text) => (coloured ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text)
}

/** Whether the terminal says that it knows no control sequences. */
function isDumb() {
  return readVariable('TERM') === 'dumb'
}

module.exports = { MARKS, isDumb, painter }
