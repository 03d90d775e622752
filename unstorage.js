'use strict'

const { redisService } = require('./index.js')
const { toBytes } = require('./lib/adapter/bytes.js')
const { isHashed, nameOf } = require('./lib/adapter/key-names.js')
const { Texts } = require('./lib/adapter/texts.js')
const { argumentError } = require('./lib/error.js')
const { nativeOf } = require('./lib/native-service.js')
const { describe, ownOptions } = require('./lib/options.js')
const { assertTtl } = require('./lib/ttl.js')

const OPTIONS = ['service', 'base', 'ttl', 'scanCount']
/** How unstorage itself writes bytes with a driver that has only texts. */
const BYTES = 'base64:'
/** What a raw string begins with that would be read as bytes. */
const TEXT = 'text:'

/** A driver for unstorage: texts under `unstorage:{key}`. */
function cinnabarDriver(options) {
  const own = ownOptions(options, OPTIONS)
  const { service = redisService, base = 'unstorage', ttl, scanCount } = own
  if (typeof base !== 'string') throw argumentError(`base must be a string, got ${describe(base)}`)
  if (ttl !== undefined) assertTtl(ttl, 'ttl')
  const normalized = base.replace(/[:/\\]/g, ':').replace(/^:+|:+$/g, '')
  const prefix = normalized === '' ? '' : `${normalized}:`
  const texts = new Texts('unstorage', { service: own.service, prefix, scanCount })
  const set = (key, text, given) => {
    const seconds = given?.ttl ?? ttl
    return texts.set(nameOf(key), text, seconds === 0 ? undefined : seconds)
  }
  const startOf = (start, operation) => {
    if (!start) texts.assertOwnKeys(operation)
    return start ?? ''
  }
  return {
    name: 'cinnabar',
    flags: { ttl: true },
    options: own,
    getInstance: () => service,
    hasItem: async (key) => (await texts.get(nameOf(key))) !== null,
    getItem: (key) => texts.get(nameOf(key)),
    async getItems(items) {
      const found = await texts.getAll(items.map(({ key }) => nameOf(key)))
      return items.map(({ key }, at) => ({ key, value: found[at] }))
    },
    async getItemRaw(key) {
      return rawOf(await texts.get(nameOf(key)))
    },
    setItem: (key, value, options) => set(key, value, options),
    async setItems(items, common) {
      await Promise.all(items.map(({ key, value, options }) => set(key, value, { ttl: options?.ttl ?? common?.ttl })))
    },
    setItemRaw: async (key, value, options) => set(key, textOf(value), options),
    async removeItem(key) {
      await texts.remove(nameOf(key))
    },
    async getKeys(start) {
      const keys = []
      for await (const names of texts.names(startOf(start, 'getKeys')))
        keys.push(...names.filter((name) => !isHashed(name)))
      return keys
    },
    clear: async (start) => texts.clear(startOf(start, 'clear')),
    getMeta: (key) => metaOf(nativeOf(service), prefix + nameOf(key)),
    // The service may be used by others.
    dispose() {},
  }
}

/** How many seconds are left of an item, if it has a ttl; `null` if there is no such item. */
async function metaOf(native, key) {
  const ms = await native.command('PTTL', [key])
  if (ms === -2) return null
  return ms < 0 ? {} : { ttl: ms / 1000 }
}

function textOf(value) {
  if (typeof value === 'string') return value.startsWith(BYTES) || value.startsWith(TEXT) ? TEXT + value : value
  const bytes = toBytes(value)
  if (bytes) return BYTES + bytes.toString('base64')
  throw argumentError(`a raw value must be a string or bytes, got ${describe(value)}`)
}

function rawOf(text) {
  if (text === null) return null
  if (text.startsWith(BYTES)) return Buffer.from(text.slice(BYTES.length), 'base64')
  return text.startsWith(TEXT) ? text.slice(TEXT.length) : text
}

// The default export is for configurations that name the module of a driver.
module.exports = cinnabarDriver
module.exports.cinnabarDriver = cinnabarDriver
