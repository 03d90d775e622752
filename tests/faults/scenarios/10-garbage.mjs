// Bytes that no server sends: the connection is closed, no call gets them as a reply, nothing crashes and no memory is taken.

import { garbage } from '../proxy.mjs'
import { scenario } from '../scenario.mjs'

const kinds = {
  'no RESP': garbage.nonsense,
  'a string of 2^63 bytes': garbage.hugeString,
  'a string of 2 GB': garbage.bigString,
  'an array of 2^31 parts': garbage.hugeArray,
  'a negative length': garbage.negative,
  'a length that is no number': garbage.noNumber,
  '10,000 nested arrays': garbage.nested(10_000),
  '200,000 nested arrays': garbage.nested(200_000),
  '10,000 nested maps': Buffer.from('%1\r\n+k\r\n'.repeat(10_000)),
  'a line without end': garbage.endlessLine(),
}

export default scenario({ number: 10, name: 'garbage', short: true, peakMb: 100, limitMs: 120_000 }, async (t) => {
  const service = await t.service({ timeoutMs: 1000 })
  await service.set('key', 'right')
  const right = (value) => value === 'right'
  const closedSince = async (count) =>
    (await t.proxy.counters()).connections.filter((one) => one.closedBy === 'client').length > count
  let heal = 0
  for (const [name, bytes] of Object.entries(kinds)) {
    const { connections, fired } = await t.proxy.counters()
    const closed = connections.filter((one) => one.closedBy === 'client').length
    await t.proxy.garbageReply({ match: /^GET key/, garbage: bytes })
    // A read may be asked again on a new connection, and then is right. On a busy machine its time may be over before it is sent.
    await t.until(`a call was sent and got ${name}`, async () => {
      await t.call(service, `a call that got ${name}`, () => service.get('key'), { right })
      return (await t.proxy.counters()).fired > fired
    })
    t.over()
    heal = Math.max(heal, await t.healed(service, { ask: (service) => service.get('key') }))
    await t.until(`the connection that brought ${name} was closed`, () => closedSince(closed), { withinMs: 5000 })
    await t.call(service, `a call after ${name}`, () => service.get('key'), { right })
  }
  // A reply that no request asked for would otherwise be taken for the next caller's.
  const { connections } = await t.proxy.counters()
  const closed = connections.filter((one) => one.closedBy === 'client').length
  await t.proxy.inject('$5\r\nwrong\r\n')
  await t.until('the connection that brought an unrequested reply was closed', () => closedSince(closed), {
    withinMs: 2000,
  })
  await t.call(service, 'a call after an unrequested reply', () => service.get('key'), { right })
  await t.call(service, 'the call after that', () => service.get('key'), { right })
  t.note(`slowest to heal: ${Math.round(heal)} ms`)
})
