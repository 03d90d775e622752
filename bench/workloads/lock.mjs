/** A free lock taken and given back, on 1,000 resources, so that there is no contention; and one lock that all callers want. */
const TTL_SECONDS = 30
const resources = Array.from({ length: 1000 }, (_, n) => `order:${n}`)
const contenders = ['cinnabar', 'redis-semaphore', 'redis-semaphore-auto', 'redlock']

/** Takes and releases a lock by one of the methods of a contender. */
const byMethod = (title, method) => ({
  title,
  baseline: 'redis-semaphore',
  contenders,
  async prepare(client) {
    const run = async (name) => {
      if ((await client[method](name, TTL_SECONDS)) !== true) throw new Error('lock refused')
    }
    for (let n = 0; n < 2; n += 1) await run('probe')
    return (i) => run(resources[i % resources.length])
  },
})

export const lock = { name: 'lock', ...byMethod('Lock acquire + release', 'withLock') }
export const lockRenewed = {
  name: 'lock-renewed',
  ...byMethod('Lock acquire + release, renewed while it is held (redlock renews nothing)', 'renewedLock'),
}
export const lockHandover = {
  name: 'lock-handover',
  title: 'From the release of a lock to the next caller that waits for it',
  shape: 'handover',
  unit: 'waiting',
  inflight: [1],
  fixed: true,
  figure: 'p50Micros',
  baseline: 'redis-semaphore',
  contenders,
  prepare: (client) => () => client.waitForLock('contended', TTL_SECONDS),
}
