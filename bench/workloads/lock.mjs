/** A free lock taken and given back, on 1,000 resources, so that there is no contention. */
const TTL_SECONDS = 30
const resources = Array.from({ length: 1000 }, (_, n) => `order:${n}`)

export const lock = {
  name: 'lock',
  title: 'Lock acquire + release',
  baseline: 'redis-semaphore',
  contenders: ['cinnabar', 'redis-semaphore', 'redis-semaphore-auto', 'redlock'],
  async prepare(client) {
    for (let n = 0; n < 2; n += 1) {
      if ((await client.withLock('probe', TTL_SECONDS)) !== true) throw new Error('a free lock was refused')
    }
    return async (i) => {
      if ((await client.withLock(resources[i % resources.length], TTL_SECONDS)) !== true)
        throw new Error('lock refused')
    }
  },
}
