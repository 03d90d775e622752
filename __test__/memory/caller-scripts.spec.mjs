// Scripts of a caller's own on the embedded engine: no other caller is affected by those that never end.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { rawClient, refuses, runModule, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { has } from '../support/server-features.mjs'

const [memory, redis] = engines

const LUA = {
  'a loop': 'while true do end',
  'a loop that catches its end': 'while true do pcall(function() while true do end end) end',
  'a handler of errors': 'xpcall(function() while true do end end, function() while true do end end)',
  'a coroutine': 'coroutine.wrap(function() while true do end end)()',
  'a comparison': 'table.sort({ 3, 1, 2 }, function() while true do end end)',
  'a replacement': "string.gsub('x', 'x', function() while true do end end)",
  'commands in a loop': "while true do redis.pcall('GET', 'a') end",
}
// No hook of Lua reaches what takes some seconds here.
const PATTERN = "string.find(string.rep('a', 400), string.rep('.-', 3) .. 'b')"
const C = {
  'a pattern': `return ${PATTERN}`,
  'a pattern in a caught call': `while true do pcall(function() return ${PATTERN} end) end`,
}

describe('a script that never ends, on the embedded engine', () => {
  for (const [name, script] of Object.entries({ ...LUA, ...C })) {
    test(`${name} ends at its deadline, and others keep theirs`, async () => {
      const service = await memory.makeService({ timeoutMs: 2000 })
      const neighbour = await memory.makeService()
      const far = await redis.makeService()
      await Promise.all([service.set('kept', '1'), neighbour.set('a', 'n'), far.set('a', 'f')])
      let ended = false
      const runaway = refuses(service.getClient().eval(script, 0), 'E_TIMEOUT').finally(() => (ended = true))
      const waiting = refuses(service.with({ timeoutMs: 100 }).get('kept'), 'E_TIMEOUT')
      assert.deepEqual(await Promise.all([neighbour.get('a'), far.get('a')]), ['n', 'f'])
      assert.ok(!ended, 'neither waits for the script')
      await waiting
      assert.ok(!ended, 'a call behind it has its own deadline')
      await runaway
      assert.equal(await service.get('kept'), '1')
      await Promise.all([service, neighbour, far].map((each) => each.disconnect()))
    })
  }

  test('what it had written stays, and its error says so', async () => {
    const service = await memory.makeService({ timeoutMs: 1000 })
    const client = await rawClient(service)
    for (const loop of ['while true do end', Object.values(C)[0]]) {
      const error = await refuses(client.eval(`redis.call('INCR', 'n') ${loop}`, 0), 'E_MAYBE_APPLIED')
      assert.match(error.message, /its earlier writes remain/)
    }
    assert.equal(await service.get('n'), '2')
    await service.disconnect()
  })

  test('a large message that a script publishes is delivered at once', async () => {
    const service = await memory.makeService()
    const heard = []
    await service.subscribe('channel', (message) => heard.push(message.length))
    const client = await rawClient(service)
    assert.equal(await client.eval("return redis.call('PUBLISH', 'channel', string.rep('x', 300000))", 0), 1)
    await until('it was delivered', () => heard.length > 0)
    assert.deepEqual(heard, [300_000])
    await service.disconnect()
  })

  test('it writes nothing once its caller has the error', async () => {
    const service = await memory.makeService({ timeoutMs: 200 })
    const patient = service.with({ timeoutMs: 60_000 }).getClient()
    // A pattern that takes about three deadlines on this machine.
    let [length, pattern, took] = [150, '', 0]
    const run = async () => {
      const began = performance.now()
      await patient.eval(`return ${pattern}`, 0)
      return performance.now() - began
    }
    while (took < 600) {
      length = Math.ceil(length * 1.2)
      pattern = PATTERN.replace('400', length)
      // Another process may have had the processor in one of two runs.
      took = await run()
      if (took >= 600) took = Math.min(took, await run())
    }
    await refuses((await rawClient(service)).eval(`${pattern} redis.call('SET', 'late', '1')`, 0), 'E_TIMEOUT')
    assert.equal(await patient.get('late'), null)
    // The same without a deadline takes as long as that one needs to come to its write.
    await run()
    await run()
    assert.equal(await patient.get('late'), null)
    await service.disconnect()
  })

  test('scripts that were loaded are still known afterwards', async () => {
    const service = await memory.makeService()
    const client = await rawClient(service)
    const sha = await client.sendCommand(['SCRIPT', 'LOAD', 'return ARGV[1]'])
    await refuses(client.with({ timeoutMs: 200 }).eval(Object.values(C)[0], 0), 'E_TIMEOUT')
    assert.deepEqual(await client.sendCommand(['SCRIPT', 'EXISTS', sha]), [1])
    assert.equal(await client.sendCommand(['EVALSHA', sha, '0', 'x']), 'x')
    await service.disconnect()
  })

  test('calls of one tick are done in their order, around a script too', async () => {
    const service = await memory.makeService()
    const client = await rawClient(service)
    const append = (text) => client.eval("return redis.call('APPEND', 'text', ARGV[1])", 0, text)
    const calls = []
    for (let round = 0; round < 50; round++) {
      calls.push(client.sendCommand(['APPEND', 'text', 'a']), append('b'), client.sendCommand(['APPEND', 'text', 'c']))
      if (round % 7 === 0) await null
    }
    await Promise.all(calls)
    assert.equal(await service.get('text'), 'abc'.repeat(50))
    await service.disconnect()
  })

  test('the process ends while one still goes on', async () => {
    const source = `
      import { RedisService } from 'cinnabar'
      const service = new RedisService({ url: 'memory:', timeoutMs: 100, log: false })
      await service.connect()
      const script = "string.find(string.rep('a', 3000), string.rep('.-', 20) .. 'b')"
      console.log(await service.getClient().eval(script, 0).catch((error) => error.code))`
    const { status, out, ms } = await runModule(source)
    assert.deepEqual([status, out.trim()], [0, 'E_TIMEOUT'])
    assert.ok(ms < 30_000)
  })
})

describe('arguments that C does not check', () => {
  for (const engine of engines) {
    test(`are refused on ${engine.name}`, async () => {
      const service = await engine.makeService()
      const client = await rawClient(service)
      if (engine.kind === 'memory' || has.safeUnpack) {
        const error = await refuses(client.eval('return { unpack({}, 0, 2147483647) }', 0), 'E_SERVER')
        assert.match(error.message, /too many results to unpack/)
      }
      const long = "return string.find(string.rep('a', 50000), string.rep('a-', 50000))"
      assert.equal(await client.eval(long, 0), 1)
      await service.disconnect()
    })
  }
  test('a service is as it was after them', async () => {
    const service = new RedisService({ url: 'memory:', log: false })
    await service.connect()
    await refuses(service.getClient().eval("return string.find('a', string.rep('a-', 500000))", 0), 'E_SERVER')
    assert.equal(await service.getClient().eval('return 1', 0), 1)
    await service.disconnect()
  })
})
