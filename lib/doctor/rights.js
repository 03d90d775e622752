'use strict'

// What the user may not do that a feature needs.

const { permissions } = require('./permission.js')
const { questionsOf } = require('./questions.js')

const MESSAGES = ['publish', 'subscribe']

async function checkRights(report, { native }, use) {
  const asked = use.examined.map((feature) => [feature, questionsOf(feature)])
  const states = await permissions(
    native,
    asked.flatMap(([, questions]) => questions),
  )
  const lacking = []
  let [at, untried] = [0, new Set()]
  for (const [feature, questions] of asked) {
    const lack = { commands: new Set(), keys: new Set(), channels: new Set() }
    for (const question of questions) {
      const state = states[at++]
      if (state === 'unknown') untried.add(question.command)
      else note(lack, state, question)
    }
    if (Object.values(lack).some(({ size }) => size > 0)) lacking.push([feature, lack])
  }
  describe(report, use, lacking, [...untried])
}

function note(lack, state, { command, subject }) {
  if (state === 'command') lack.commands.add(command)
  if (state === 'key') lack.keys.add(subject)
  if (state === 'channel') lack.channels.add(subject)
}

function describe(report, use, lacking, untried) {
  const [needed, others] = [true, false].map((known) => lacking.filter(([{ name }]) => use.has(name) === known))
  for (const [{ name }, lack] of needed) needs(report, name, lack)
  if (others.length > 0 && others.length === use.examined.length) {
    const found = `the user may not do all that is needed for any feature; ${others[0][0].name} lacks ${list(others[0][1])}`
    report.warning(
      'rights',
      'rights-none',
      found,
      'give it the rights in docs/access.md, and name what you use by --features',
    )
  } else if (others.length > 0) {
    const found = `the user may not use ${others.map(([{ name }]) => name).join(', ')}`
    report.note('rights', 'rights-unused', found, 'if you use one of them, name it by --features to see what it lacks')
  }
  if (lacking.length === 0) {
    const whom = use.examined.map(({ name }) => name).join(', ')
    report.ok('rights', `the user may do what is needed for ${whom}`)
  }
  if (untried.length > 0) {
    const found = `whether the user may run ${untried.sort().join(' ')} is unknown: this server cannot be asked`
    report.note('rights', 'rights-unknown', found)
  }
}

function needs(report, name, lack) {
  // Without messages everything works, later.
  const works = lack.keys.size === 0 && [...lack.commands].every((command) => MESSAGES.includes(command))
  const found = `the user lacks rights for ${name}: ${list(lack)}`
  const remedy = `ACL SETUSER <user> ${rules(lack)}${works ? '; until then, docs/access.md says what is slower' : ''}`
  report[works ? 'warning' : 'error']('rights', 'rights', found, remedy)
}

function list({ commands, keys, channels }) {
  const parts = []
  if (commands.size > 0) parts.push(`commands ${[...commands].join(' ')}`)
  if (keys.size > 0) parts.push(`keys ${patterns(keys)}`)
  if (channels.size > 0) parts.push(`channels ${patterns(channels)}`)
  return parts.join(', ')
}

function patterns(beginnings) {
  return [...beginnings].map((beginning) => `${beginning}*`).join(' ')
}

function rules({ commands, keys, channels }) {
  return [
    ...[...commands].map((command) => `+${command}`),
    ...[...keys].map((key) => `'~${key}*'`),
    ...[...channels].map((channel) => `'&${channel}*'`),
  ].join(' ')
}

module.exports = { checkRights }
