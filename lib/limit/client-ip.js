'use strict'

const { binding } = require('../bridge.js')
const { argumentError } = require('../error.js')
const { describe, describeNumber, isArray, ownOptions, stringsOf } = require('../options.js')
const { addressList, checkedNetworks, textsOf } = require('./address-list.js')

const OPTIONS = ['trustedProxies', 'remoteAddress', 'header', 'ipv6Prefix']
const MOST_PROXIES = 100
const EVERY_ADDRESS = ['0.0.0.0/0', '::/0']
const KINDS = { __proto__: null, 'x-forwarded-for': 'list', forwarded: 'forwarded' }
const HEADER_NAME = /^[!#$%&'*+.^_`|~\w-]+$/
// Options are the same at each request, so a few readers serve all of them.
const MOST_READERS = 100
const readers = new Map()
// By the `AddressList` of proxies, which may be long.
const readersOfLists = new WeakMap()

/** The address of the client of a request, or null if it is not known. */
function clientIp(request, options) {
  const { remoteAddress, ...own } = ownOptions(options, OPTIONS)
  const { name, reader } = readerOf(own)
  const { headers, peer } = partsOf(request)
  return reader.read(remoteAddress === undefined ? peer() : addressOf(remoteAddress), headerOf(headers, name))
}

/** Options of `clientIp` for many requests, with the proxies read once. Throws for those that are invalid at every request. */
function fixedOptions(options) {
  const own = ownOptions(options, OPTIONS)
  readerOf(own)
  return isArray(own.trustedProxies) ? { ...own, trustedProxies: addressList(own.trustedProxies) } : own
}

function readerOf({ trustedProxies, header, ipv6Prefix = 64 }) {
  if (header !== undefined && trustedProxies === undefined)
    throw argumentError('header has no effect without trustedProxies, which says whose headers are true')
  const name = nameOf(header)
  assertWhole(ipv6Prefix, 'ipv6Prefix', 1, 128)
  const list = textsOf(trustedProxies)
  const proxies = list ?? readProxies(trustedProxies)
  const known = list ? readersBy(trustedProxies) : readers
  const key = [ipv6Prefix, name, list ? '' : keyOf(proxies)].join(' ')
  const found = known.get(key)
  if (found) return found
  const made = { name, reader: newReader(proxies, KINDS[name] ?? 'single', ipv6Prefix) }
  if (known.size >= MOST_READERS) known.clear()
  known.set(key, made)
  return made
}

function readersBy(list) {
  let readers = readersOfLists.get(list)
  if (!readers) readersOfLists.set(list, (readers = new Map()))
  return readers
}

function keyOf(proxies) {
  return typeof proxies === 'number' ? proxies : `in ${proxies.join('\n')}`
}

function newReader(proxies, kind, ipv6Prefix) {
  if (typeof proxies === 'number') return new binding.AddressReader(proxies, [], kind, ipv6Prefix)
  const networks = checkedNetworks(proxies, 'trustedProxies')
  const list = new binding.AddressList(networks)
  // Every address would be a proxy's, so that clients could choose their own.
  const all = EVERY_ADDRESS.find((network) => list.includes(network))
  if (all)
    throw argumentError(`trustedProxies must not contain every address, as ${all} does, nor networks that together do`)
  return new binding.AddressReader(undefined, networks, kind, ipv6Prefix)
}

function nameOf(header = 'x-forwarded-for') {
  if (typeof header === 'string' && HEADER_NAME.test(header)) return header.toLowerCase()
  throw argumentError(
    `header must be the name of a header, such as 'x-real-ip', without spaces, got ${describe(header)}`,
  )
}

/** A number of proxies, or texts, which are checked once. */
function readProxies(proxies = 0) {
  if (typeof proxies === 'number') return assertWhole(proxies, 'trustedProxies', 0, MOST_PROXIES)
  if (isArray(proxies)) return stringsOf(proxies, 'trustedProxies')
  throw argumentError(
    `trustedProxies must be a number of proxies (0 to ${MOST_PROXIES}) or an array of addresses, got ${describe(proxies)}`,
  )
}

function assertWhole(value, name, least, most) {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw argumentError(`${name} must be a whole number from ${least} to ${most}, got ${describeNumber(value)}`)
}

/** The headers of a request, and how to read the address of its connection. */
function partsOf(request) {
  try {
    const raw = rawOf(request)
    const headers = raw?.headers ?? (typeof raw?.get === 'function' ? raw : undefined)
    if (isObject(headers)) return { headers, peer: () => peerOf(request) }
  } catch (error) {
    // A proxy may throw whenever it is read.
    throw argumentError('the request could not be read', error)
  }
  throw argumentError(`the first argument must be a request or its headers, got ${describe(request)}`)
}

function isObject(value) {
  return typeof value === 'object' && value !== null
}

// A request of Fastify or Hono has the one of the server behind it.
function rawOf(request) {
  return isObject(request?.raw) ? request.raw : request
}

/** The address of the connection of a request, as far as it has one and is open. */
function peerOf(request) {
  try {
    return rawOf(request).socket?.remoteAddress
  } catch {
    // The socket of a closed connection of HTTP/2 throws.
    return undefined
  }
}

/** A text, or what Bun and Deno have: `{ address }` and `{ hostname }`. */
function addressOf(remote) {
  const address = isObject(remote) ? readAddress(remote) : remote
  if (typeof address === 'string') return address
  // As for a socket of the system, which has no address.
  if (address === null || address === undefined) return undefined
  throw argumentError(`remoteAddress must be a string, got ${describe(remote)}`)
}

function readAddress(remote) {
  try {
    return remote.address ?? remote.hostname
  } catch (error) {
    throw argumentError('remoteAddress could not be read', error)
  }
}

function headerOf(headers, name) {
  try {
    const value = typeof headers.get === 'function' ? headers.get(name) : Object.hasOwn(headers, name) && headers[name]
    return Array.isArray(value) ? value.join(',') : value
  } catch (error) {
    throw argumentError('the headers could not be read', error)
  }
}

module.exports = { clientIp, fixedOptions, peerOf }
