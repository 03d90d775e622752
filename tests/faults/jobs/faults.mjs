// Every kind of fault between a client and its server, one after the other, with a healthy time between them.

const kinds = {
  cut: (t) => t.proxy.reset(),
  refused: async (t) => {
    await t.proxy.refuse()
    await t.proxy.reset()
  },
  'cut mid-reply': (t) => t.proxy.cutReply({ match: /^(EVAL|EVALSHA|PUBLISH)/, bytes: 'random', times: 5 }),
  'cut mid-request': (t) => t.proxy.cutRequest({ match: /^(EVAL|EVALSHA|PUBLISH)/, bytes: 'random', times: 5 }),
  stalled: (t) => t.proxy.hold(),
  silent: (t) => t.proxy.silent(),
  slow: (t) => t.proxy.delay({ ms: 300, jitter: 200 }),
  'scripts gone': (t) => t.server.command('SCRIPT', 'FLUSH'),
  paused: async (t) => t.server.pause(),
}

/** Lets each kind last `ms`, then ends it and waits until `healed()` resolves. */
export async function everyFault(t, { ms, healed }) {
  for (const [name, begin] of Object.entries(kinds)) {
    await begin(t)
    await t.sleep(ms)
    if (t.server.paused) t.server.resume()
    await t.heal(undefined, { dead: 'reset' })
    await healed(name)
    await t.sleep(200)
  }
  return Object.keys(kinds).length
}
