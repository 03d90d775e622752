'use strict'

const { argumentError } = require('../error.js')
const names = require('../option-names.js')
const { describe, ownOptions } = require('../options.js')

const OPTIONS = Object.keys(names.policy)

/** The policies of a limiter for the native side: names and policies in turn. Each option is read once. */
function readPolicies(policies) {
  if (policies === undefined) return undefined
  const isTable = typeof policies === 'object' && policies !== null && !Array.isArray(policies)
  if (!isTable) throw argumentError(`policies must be an object of policies by name, got ${describe(policies)}`)
  return Object.keys(policies).flatMap((name) => [name, readPolicy(policies[name], name)])
}

function readPolicy(policy, name) {
  if (policy === undefined) throw argumentError(`policies.${name} must be an object, got undefined`)
  return ownOptions(policy, OPTIONS, `policies.${name}.`)
}

module.exports = { readPolicies }
