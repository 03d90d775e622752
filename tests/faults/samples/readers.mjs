// Each way to read a value; `null` is a miss.

export const readers = {
  raw: (service, key) => service.get(`raw:${key}`),
  cache: (service, key) => service.cache.get(key),
  // A loader that runs means that nothing was found.
  'cache.getOrSet': async (service, key) => {
    let loaded = false
    const value = await service.cache.getOrSet(key, () => void (loaded = true))
    return loaded ? null : value
  },
  session: (service, key) => service.sessions.getSession(key),
  hash: async (service, key) => (await service.hGet(`hash:${key}`, 'field')) ?? null,
}

/** Stores what each of them finds under a key. */
export async function write(service, key) {
  await Promise.all([
    service.set(`raw:${key}`, 'v'),
    service.cache.set(key, { of: key }),
    service.sessions.storeSession(key, { userId: key }),
    service.hSet(`hash:${key}`, 'field', 'v'),
  ])
}
