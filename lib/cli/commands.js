'use strict'

/** The commands by name. A command is a file that exports `help`, its text, and `run(words)`, which resolves to `{ code, out, err }`. */
const commands = new Map([
  ['doctor', { summary: 'examines a server and the settings for it', load: () => require('./doctor.js') }],
])

module.exports = { commands }
