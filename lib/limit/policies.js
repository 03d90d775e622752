'use strict'

const { argumentError } = require('../error.js')
const names = require('../option-names.js')
const { describe, isArray, ownOptions } = require('../options.js')

const OPTIONS = Object.keys(names.policy)

const PERIODS = { __proto__: null, hour: 3600, day: 86_400, week: 604_800 }

/** The policies of a limiter for the native side: names and policies in turn. Each option is read once. */
function readPolicies(policies) {
  if (policies === undefined) return undefined
  const isTable = typeof policies === 'object' && policies !== null && !isArray(policies) && !isEmptyInstance(policies)
  if (!isTable) throw argumentError(`policies must be an object of policies by name, got ${describe(policies)}`)
  return Object.keys(policies).flatMap((name) => [name, readPolicy(policies[name], name)])
}

// Such as a Map, whose entries are not properties.
function isEmptyInstance(object) {
  return Object.keys(object).length === 0 && ![Object.prototype, null].includes(Object.getPrototypeOf(object))
}

function readPolicy(policy, name) {
  if (policy === undefined) throw argumentError(`policies.${name} must be an object, got undefined`)
  return ownOptions(policy, OPTIONS, `policies.${name}.`)
}

/** The lengths of the windows of policies as `readPolicies` returns them, by name; `undefined` where they differ, as months do. */
function windowsOf(policies = []) {
  const windows = new Map()
  for (let at = 0; at < policies.length; at += 2) {
    const { per } = policies[at + 1]
    windows.set(policies[at], typeof per === 'number' ? per : PERIODS[per])
  }
  return windows
}

/** The names of the policies that have shares. */
function sharedOf(policies) {
  return namesWhere(policies, ({ mode, limit }) => mode === 'shares' && isCounted(limit))
}

// What allows all or nothing is not counted.
function isCounted(limit) {
  return limit > 0 && limit < Infinity
}

/** The names of those that limit what runs at the same time. */
function concurrentOf(policies) {
  return new Set(namesWhere(policies, ({ algorithm }) => algorithm === 'concurrency'))
}

function namesWhere(policies = [], test) {
  return policies.filter((_, at) => at % 2 === 0 && test(policies[at + 1]))
}

module.exports = { concurrentOf, readPolicies, sharedOf, windowsOf }
