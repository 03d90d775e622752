// The holder of a lock is cut off until the lock has expired: what it still does with it, even what arrives late, does nothing
// to the one who holds it now.

import { scenario } from '../scenario.mjs'

const LOST = ['E_UNAVAILABLE', 'E_NOT_SENT', 'E_MAYBE_APPLIED', 'E_TIMEOUT']

export default scenario({ number: 25, name: 'lock holder cut off', short: true }, async (t) => {
  const holder = await t.service({ timeoutMs: 600 })
  const other = await t.service({ url: t.server.url, timeoutMs: 1000 })
  const isFalse = { right: (value) => value === false }
  const isTrue = { right: (value) => value === true }

  /** The other one gets the lock as soon as its time is over, and not before. */
  const take = async (name, at) => {
    let token = null
    await t.until(`${name} is free`, async () => {
      token ??= (await t.call(other, 'acquire', () => other.locks.acquireLock(name, 30))).value
      return token
    })
    const held = performance.now() - at
    // The server counts from when it executed the command, which is not before it was sent.
    t.check(held >= 999, `${name} was taken ${Math.round(held)} ms after it had been granted for 1 s`)
    return token
  }
  const unharmed = async (name, token) => {
    t.check((await t.server.command('GET', `lock:${name}`)) === token, `${name} is no longer held by its new holder`)
    t.check((await t.server.command('PTTL', `lock:${name}`)) > 20_000, `another holder changed the ttl of ${name}`)
  }

  // How the two are cut off: bytes are delayed and arrive when they are no longer expected, or they are lost.
  for (const fault of ['hold', 'silent']) {
    const name = `r:${fault}`
    const at = performance.now()
    const { value: stale } = await t.call(holder, 'acquire', () => holder.locks.acquireLock(name, 1))
    // Its operation ends when the lock has long been another holder's.
    const long = `w:${fault}`
    let end
    const operation = () => new Promise((resolve) => (end = resolve))
    const outcome = holder.locks.withLock(long, operation, 1).catch((error) => error)
    await t.until('the operation has begun', () => end)

    await t.proxy[fault]()
    await Promise.all([
      t.fails(holder, 'extend', () => holder.locks.extendLock(name, stale, 30), LOST),
      t.fails(holder, 'release', () => holder.locks.releaseLock(name, stale), LOST),
    ])
    const [token, longToken] = await Promise.all([take(name, at), take(long, at)])
    // Sent into the fault: where it is kept back, it reaches the server when the lock has another holder.
    const late = [
      t.fails(holder, 'late extend', () => holder.locks.extendLock(name, stale, 1), LOST),
      t.fails(holder, 'late release', () => holder.locks.releaseLock(name, stale), LOST),
    ]
    end('done')
    await Promise.all(late)
    const { code, result } = await outcome
    t.check(code === 'E_LOCK_LOST' && result === 'done', `the loss of the lock was not said with the result: ${code}`)

    await t.heal()
    await t.healed(holder)
    await unharmed(name, token)
    await unharmed(long, longToken)
    await t.call(holder, 'stale extend', () => holder.locks.extendLock(name, stale, 1), isFalse)
    await t.call(holder, 'stale release', () => holder.locks.releaseLock(name, stale), isFalse)
    await t.call(holder, 'acquire again', () => holder.locks.acquireLock(name, 1), { right: (value) => value === null })
    await unharmed(name, token)
    await unharmed(long, longToken)
    await t.call(other, 'extend', () => other.locks.extendLock(name, token, 60), isTrue)
    await t.call(other, 'release', () => other.locks.releaseLock(name, token), isTrue)
  }
})
