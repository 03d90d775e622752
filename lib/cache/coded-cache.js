'use strict'

/** A native cache whose values are those of a codec. What has no value is that of the native cache. */
function codedCache(native, codec) {
  const value = (stored) => codec.decode(stored)
  const found = (entry) => ('value' in entry ? { ...entry, value: codec.decode(entry.value) } : entry)
  const entryOf = (entry, at) => ({ ...entry, value: codec.encode(entry.value, `entries[${at}].value`) })
  // The native call is made before the first wait, so that calls stay in order.
  const own = {
    within: (limits) => codedCache(native.within(limits), codec),
    get: async (key) => value(await native.get(key)),
    getMany: async (keys) => (await native.getMany(keys)).map(value),
    set: async (key, given, options) => native.set(key, codec.encode(given, 'value'), options),
    setMany: async (entries) => native.setMany(entries.map(entryOf)),
    begin: async (...args) => found(await native.begin(...args)),
    find: async (key) => found(await native.find(key)),
    getNear(key, knownId) {
      const near = native.getNear(key, knownId)
      return Array.isArray(near) ? near : near.then(value)
    },
  }
  return new Proxy(native, { get: (target, name) => own[name] ?? target[name].bind(target) })
}

module.exports = { codedCache }
