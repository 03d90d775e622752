// Connections that end, or hang, during a subscribe: the subscription comes about all the same, and neither a rest before
// it nor a second one costs those that stand anything.

import { scenario } from '../scenario.mjs'

export default scenario({ number: 26, name: 'subscribing', short: true }, async (t) => {
  const service = await t.service({})
  const publisher = await t.service({ url: t.server.url })
  const heard = []
  const subscribe = (name) =>
    t.call(service, `subscribe ${name}`, () =>
      service.subscribe(name, (value) => heard.push(`${name} ${value}`), { onGap: () => heard.push(`${name} gap`) }),
    )
  const hears = async (what, names, expected) => {
    heard.length = 0
    for (const name of names) await t.call(publisher, 'publish', () => publisher.publish(name, what))
    await t.until(`${what}: messages come`, () => heard.length >= names.length)
    t.check(
      `${heard.toSorted()}` === `${expected ?? names.map((name) => `${name} ${what}`)}`,
      `${what}: heard ${heard}`,
    )
  }

  await subscribe('a')
  // Longer than it takes until a missing reply is noticed.
  await t.sleep(2500)
  heard.length = 0
  const { error } = await subscribe('b')
  t.check(!error, `a second subscription after a rest failed: ${error?.code}: ${error?.message}`)
  t.check(heard.length === 0, `a second subscription after a rest cost the first one: ${heard}`)
  await hears('rested', ['a', 'b'])

  const faults = {
    c: () => t.proxy.cutReply({ match: /^SUBSCRIBE c/ }),
    d: () => t.proxy.cutRequest({ match: /^SUBSCRIBE d/, bytes: 'random' }),
    e: () => t.proxy.stallReply({ match: /^SUBSCRIBE e/, bytes: 'random' }),
  }
  const names = ['a', 'b']
  for (const [name, fault] of Object.entries(faults)) {
    await fault()
    heard.length = 0
    const { error } = await subscribe(name)
    t.check(!error, `a subscription whose connection ended failed: ${error?.code}: ${error?.message}`)
    await t.until(`${name}: those before are notified of a gap`, () => heard.length >= names.length)
    t.check(`${heard.toSorted()}` === `${names.map((name) => `${name} gap`)}`, `${name}: heard ${heard}`)
    names.push(name)
    await t.heal()
    await hears(`after ${name}`, names)
  }
  const closed = await t.fails(service, 'refused', () => refused(t), 'E_UNAVAILABLE')
  t.check(closed?.retryable === true, 'a subscription that was refused for want of a server is not retryable')
})

/** No server listens at all. */
async function refused(t) {
  await t.proxy.refuse()
  await t.proxy.reset()
  try {
    const service = await t.service({ connect: false, timeoutMs: 1001 })
    await service.subscribe('x', () => {})
  } finally {
    await t.proxy.heal()
  }
}
