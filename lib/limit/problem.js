'use strict'

const { argumentError } = require('../error.js')
const { describe, isArray, ownOptions } = require('../options.js')
const { assertName } = require('./ietf-headers.js')
const { HEADER_OPTIONS, limitHeaders, readable } = require('./headers.js')

const OPTIONS = ['policies', ...HEADER_OPTIONS]
const TYPE = 'https://iana.org/assignments/http-problem-types#quota-exceeded'
const TITLE = 'Request cannot be satisfied as assigned quota has been exceeded'

/** The response to a refused request, `{ status, headers, body }`, as RFC 9457 describes problems. */
function limitProblem(checked, options) {
  const { policies, ...forHeaders } = ownOptions(options, OPTIONS)
  const result = readable(checked)
  const headers = limitHeaders(result, forHeaders)
  if (result.allowed) throw argumentError('problem takes the result of a check that refused the request')
  const problem = { type: TYPE, title: TITLE, status: 429, ...detailOf(headers['Retry-After']) }
  problem['violated-policies'] = namesOf(policies ?? [forHeaders.name ?? 'default'])
  return {
    status: 429,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
    body: JSON.stringify(problem),
  }
}

function detailOf(seconds) {
  if (seconds === undefined) return {}
  return { detail: `Try again in ${seconds} ${seconds === '1' ? 'second' : 'seconds'}.` }
}

function namesOf(policies) {
  if (!isArray(policies)) throw argumentError(`policies must be an array of names, got ${describe(policies)}`)
  const names = [...policies]
  names.forEach(assertName)
  return names
}

module.exports = { limitProblem }
