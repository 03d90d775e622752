// The server's password changes: with a fixed one the service says so and heals when it is right again; with a function that
// supplies it no call fails.

import { randomUUID } from 'node:crypto'

import { redisCommand } from '../../../__test__/support/redis.mjs'
import { scenario } from '../scenario.mjs'

const first = randomUUID()
const server = { args: ['--requirepass', first], password: first }

export default scenario({ number: 14, name: 'password rotation', short: true, server }, async (t) => {
  let password = first
  const ask = (...args) => redisCommand({ port: t.server.port, password }, ...args)
  const rotate = async (next) => {
    await ask('CONFIG', 'SET', 'requirepass', next)
    password = next
  }
  t.readCounter = (key) => ask('GET', key)

  const fixed = await t.service({ password: first, timeoutMs: 1000 })
  await fixed.set('k', 'v')
  const second = randomUUID()
  await rotate(second)
  await t.proxy.reset()
  await t.sleep(100)
  const error = await t.fails(fixed, 'a call with the old password', () => fixed.get('k'), 'E_AUTH')
  t.check(!`${error?.message} ${error?.cause}`.includes(first), 'the password is in the message')
  t.note(`it says: ${error?.message}`)
  await t.heal(() => rotate(first))
  await t.healed(fixed)

  let asked = 0
  const credentials = async () => {
    asked++
    await t.sleep(10)
    return { password }
  }
  const service = await t.service({ credentials, timeoutMs: 1000, db: 1 })
  const load = await t.load({ service, rate: 200 })
  for (let i = 0; i < 3; i++) {
    await t.sleep(200)
    await rotate(randomUUID())
    await t.proxy.reset()
  }
  t.over()
  await t.healed(service, { withinMs: 2000 })
  await t.sleep(300)
  // The counters are of another database than the one that `readCounter` would look at.
  t.readCounter = async (key) => service.get(key)
  await load.stop()
  t.check(
    load.codes.E_AUTH === undefined,
    `${load.codes.E_AUTH} calls were refused though the function knew the password`,
  )
  t.check(asked >= 4, `the function was asked ${asked} times for 4 connections`)

  // An ACL user, by the same way.
  const name = 'app'
  const user = async (next) => {
    await ask('ACL', 'SETUSER', name, 'on', 'resetpass', `>${next}`, '~*', '&*', '+@all')
    return next
  }
  let own = await user(randomUUID())
  const app = await t.service({ credentials: () => ({ username: name, password: own }), timeoutMs: 1000, db: 2 })
  await app.set('k', 'v')
  own = await user(randomUUID())
  await t.proxy.reset()
  t.over()
  await t.healed(app, { withinMs: 2000 })

  // A function that fails says so and heals with it.
  let broken = true
  const unsure = await t.service({
    connect: false,
    credentials: () => {
      if (broken) throw new Error('the vault is closed')
      return { password }
    },
    timeoutMs: 1000,
    db: 3,
  })
  const closed = await t.fails(unsure, 'a call without credentials', () => unsure.get('k'), ['E_AUTH', 'E_UNAVAILABLE'])
  t.check(/credentials/.test(closed?.message), `it does not say why: ${closed?.message}`)
  await t.heal(() => (broken = false))
  await t.healed(unsure)
})
