'use strict'

/** The commands by name. A command is a file that exports `help`, its text, and `run(words)`, which resolves to `{ code, out, err }`. */
const commands = new Map([
  ['doctor', { summary: 'examines a server and the settings for it', load: () => require('./doctor.js') }],
  ['queue', { summary: 'shows the jobs of a queue, and retries or removes them', load: () => require('./queue.js') }],
  ['keys', { summary: 'counts keys by prefix, with their ttls and memory', load: () => require('./keys.js') }],
  ['top', { summary: 'shows what a server does now', load: () => require('./top.js') }],
])

module.exports = { commands }
