/** Rate limit checks on 1,000 identifiers: all let through, in windows, by a token bucket and from shares, or every second identifier far over its limit. */
const WINDOW_SECONDS = 3600
const HIGH = 1_000_000_000
const LOW = 5
const ids = Array.from({ length: 1000 }, (_, n) => `user:${n}`)
const contenders = ['cinnabar', 'rate-limiter-flexible', 'rate-limiter-flexible-auto', 'upstash-ratelimit']

export const limit = {
  name: 'limit',
  title: 'Rate limit check, all allowed',
  baseline: 'rate-limiter-flexible',
  contenders,
  async prepare(client) {
    if ((await client.allow('probe:high', HIGH, WINDOW_SECONDS)) !== true) throw new Error('refused below the limit')
    return (i) => client.allow(ids[i % ids.length], HIGH, WINDOW_SECONDS)
  },
}

/** A check by a method that not all have; of those that lack it, a fixed window. */
const byMethod = (name, title, method) => ({
  name,
  title: `${title}, all allowed (those that have no such thing: a fixed window by the server)`,
  baseline: 'rate-limiter-flexible',
  contenders,
  async prepare(client) {
    const allow = client[method] ?? ((id) => client.allow(id, HIGH, WINDOW_SECONDS))
    if ((await allow('probe')) !== true) throw new Error('refused below the limit')
    return (i) => allow(ids[i % ids.length])
  },
})

export const limitGcra = byMethod('limit-gcra', 'Rate limit check by a token bucket', 'allowGcra')
export const limitShares = byMethod('limit-shares', 'Rate limit check from a share', 'allowShared')

export const limitMixed = {
  name: 'limit-mixed',
  title: 'Rate limit check, half refused',
  baseline: 'rate-limiter-flexible',
  contenders,
  async prepare(client) {
    const limitOf = (n) => (n % 2 === 0 ? HIGH : LOW)
    // The spent half is spent before the clock runs, so that exactly half of the measured calls are refused.
    for (let n = 1; n < ids.length; n += 2) {
      await Promise.all(Array.from({ length: LOW + 1 }, () => client.allow(ids[n], LOW, WINDOW_SECONDS)))
    }
    if ((await client.allow(ids[1], LOW, WINDOW_SECONDS)) !== false) throw new Error('allowed over the limit')
    return (i) => client.allow(ids[i % ids.length], limitOf(i % ids.length), WINDOW_SECONDS)
  },
}
