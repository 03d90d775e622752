// Keyv 6 with the installed package: runs all expectations on the engine of REDIS_URL, and prints how many.
import assert from 'node:assert/strict'

import { RedisService } from 'cinnabar'
import { CinnabarKeyvStore } from 'cinnabar/keyv'
import Keyv from 'keyv'

import { expectations } from './keyv-expectations.mjs'

const url = process.env.REDIS_URL
const all = expectations({ Keyv, CinnabarKeyvStore, isKeyv6: true })

/** Runs it with an empty store. */
async function withService(run) {
  const service = new RedisService({ url, log: false, timeoutMs: 2000 })
  await service.connect()
  const client = service.getClient()
  await client.sendCommand(['FLUSHALL'])
  try {
    await run({ service, client })
  } finally {
    await service.disconnect()
  }
}

for (const [name, run] of Object.entries(all)) {
  await withService(run).catch((error) => {
    throw new Error(name, { cause: error })
  })
}

await withService(async ({ service, client }) => {
  // Keyv takes it as it is, not as a store of an older version.
  const store = new CinnabarKeyvStore({ service, namespace: 'own' })
  const keyv = new Keyv({ store, checkExpired: false })
  assert.equal(keyv.store, store)
  assert.equal(keyv.namespace, 'own')
  const soon = Date.now() + 60_000
  assert.equal(await keyv.setRaw('a', { value: 1, expires: soon }), true)
  const ms = await client.pTTL('keyv:own::a')
  assert.ok(ms > 55_000 && ms <= 60_000, String(ms))
  assert.equal(await keyv.setRaw('a', { value: 1, expires: Date.now() - 1 }), true)
  assert.equal(await keyv.has('a'), false)
  assert.deepEqual(await keyv.setManyRaw([{ key: 'a', value: { value: 1, expires: 1 } }, { key: 'b', value: { value: 2 } }]), [true, true]) // prettier-ignore
  assert.deepEqual(await keyv.hasMany(['a', 'b']), [false, true])
  assert.deepEqual(await keyv.getManyRaw(['a', 'b']), [undefined, { value: 2 }])
})

// Errors, each once.
const service = new RedisService({ url: 'redis://127.0.0.1:1', log: false, timeoutMs: 300 })
const keyv = new Keyv({ store: new CinnabarKeyvStore({ service }) })
const errors = []
keyv.on('error', (error) => errors.push(error.command))
for (const [call, result, command] of [
  [() => keyv.get('a'), undefined, 'KEYV GET'],
  [() => keyv.getMany(['a', 'b']), [undefined, undefined], 'KEYV GET'],
  [() => keyv.has('a'), false, 'KEYV GET'],
  [() => keyv.set('a', 1), false, 'KEYV SET'],
  [() => keyv.setMany([{ key: 'a', value: 1 }]), [false], 'KEYV SET'],
  [() => keyv.delete('a'), false, 'KEYV DELETE'],
  [() => keyv.deleteMany(['a']), [false], 'KEYV DELETE'],
  [() => keyv.clear(), undefined, 'KEYV CLEAR'],
]) {
  errors.length = 0
  assert.deepEqual(await call(), result)
  assert.deepEqual(errors, [command])
}
await service.disconnect()

console.log(JSON.stringify({ passed: Object.keys(all).length }))
