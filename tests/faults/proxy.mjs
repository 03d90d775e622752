// A TCP proxy that knows where RESP frames begin and end, between a client and a real server. What it does to the bytes can
// be changed at any moment; whatever it leaves to chance follows its seed. It runs in a process of its own.
//
//   const proxy = await startProxy({ target: server.port, seed: 1 })
//   await proxy.cutReply({ match: /^INCR/ })    // the next INCR is applied, and its reply is lost
//   await proxy.heal()
//
// A connection that lost bytes (`drop`, `silent`, an `acceptSilent` one) stays lost after `heal()`, as one whose route is
// gone: TCP loses no bytes out of the middle of a connection. What was held back or stalled is delivered by `heal()`, late
// but whole, as after a retransmission.

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { freePort } from '../../__test__/support/processes.mjs'

/** Bytes that no server sends, by name. */
export const garbage = {
  nonsense: Buffer.from([0, 255, 1, 254, ...Buffer.from('GET / HTTP/1.1\r\n\r\n')]),
  hugeString: Buffer.from('$9223372036854775807\r\n'),
  bigString: Buffer.from('$2147483647\r\n'),
  hugeArray: Buffer.from('*2147483647\r\n'),
  negative: Buffer.from('$-2147483648\r\n'),
  noNumber: Buffer.from('$12x4\r\n'),
  nested: (levels = 10_000) => Buffer.from('*1\r\n'.repeat(levels)),
  endlessLine: (bytes = 1 << 20) => Buffer.alloc(bytes, '+'),
}

let host

function ask(message) {
  host ??= startHost()
  return host(message)
}

function startHost() {
  const child = fork(fileURLToPath(new URL('proxy/host.mjs', import.meta.url)), { execArgv: [] })
  const waiting = new Map()
  let last = 0
  child.unref()
  child.channel.unref()
  child.on('message', ({ id, value, error }) => {
    const { resolve, reject } = waiting.get(id)
    waiting.delete(id)
    if (waiting.size === 0) child.channel.unref()
    if (error === undefined) resolve(value)
    else reject(new Error(`proxy: ${error}`))
  })
  child.on('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the proxy ended'))
  })
  return (message) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject })
      child.channel.ref()
      child.send({ id: last, ...message })
    })
}

let proxies = 0

/**
 * Starts a proxy in front of `target`, a port of the loopback interface or `{ host, port }`. `raw: true` looks for no
 * frames, as for TLS; then nothing that names a command or a reply works. `host` and `port` are where it listens.
 *
 * Verbs take `direction` (`'requests'`, `'replies'`, `'both'`) and `only` (the number of one connection, see `counters()`)
 * where that makes sense. Each resolves once it is in force.
 */
export async function startProxy({ target, host = '127.0.0.1', port, seed = 1, raw = false }) {
  const name = ++proxies
  const request = (verb, args = {}) => ask({ proxy: name, verb, args })
  const address = (target) => (typeof target === 'object' ? target : { host: '127.0.0.1', port: Number(target) })
  const listening = port ?? (await freePort())
  await request('start', { target: address(target), host, port: listening, seed, raw })

  const trigger = (on, action, { match, bytes = 0, how = 'reset', times = 1, skip = 0, only, garbage } = {}) =>
    request('trigger', {
      on,
      action,
      bytes,
      how,
      times,
      skip,
      only,
      match: match && [match.source, match.flags],
      garbage: garbage && Buffer.from(garbage).toString('base64'),
    })

  return {
    host,
    port: listening,
    url: `redis://${host}:${listening}`,

    // ------------------------------------------------------------------------------------ new connections
    /** Refuses new connections. Open ones stay, unless `reset()`. */
    refuse: () => request('refuse'),
    /** Accepts, and resets at once. Unlike a refusal it can be counted. */
    acceptReset: () => request('accepting', { accept: 'reset' }),
    /** Accepts and never replies. Open connections go on. */
    acceptSilent: () => request('accepting', { accept: 'silent' }),

    // ------------------------------------------------------------------------------------ all that passes
    /** Everything takes so much longer, and up to `jitter` ms more. */
    delay: ({ ms, jitter = 0, direction = 'replies', only }) =>
      request('rule', { direction, only, delayMs: ms, jitterMs: jitter }),
    /** Swallows all bytes from now on. */
    drop: ({ direction = 'both', only } = {}) => request('rule', { direction, only, drop: true }),
    /** Keeps all bytes back until `heal()`. */
    hold: ({ direction = 'both', only } = {}) => request('rule', { direction, only, hold: true }),
    /** Drops all bytes and accepts no new connection: a lost route. */
    silent: async () => {
      await request('accepting', { accept: 'silent' })
      await request('rule', { drop: true })
    },
    /** Hands on `bytes` at a time, with a pause of `ms` between. */
    drip: ({ ms, bytes = 1, direction = 'replies', only }) =>
      request('rule', { direction, only, dripMs: ms, dripBytes: bytes }),
    /** Reads nothing from the client any more, so that it cannot write either once the buffers are full. */
    stopReading: ({ only } = {}) => request('rule', { direction: 'requests', only, unread: true }),

    // ------------------------------------------------------------------------------------ one frame
    /**
     * Closes the connection after `bytes` bytes (a number, or `'random'`) of the reply to the next command that matches:
     * the server did what it was asked to. `how` is `'reset'` or `'end'`; `skip` lets so many pass first.
     */
    cutReply: (options) => trigger('replies', 'cut', options),
    /** Closes it after `bytes` bytes of the next request that matches: the server never gets it whole. */
    cutRequest: (options) => trigger('requests', 'cut', options),
    /** Hands on `bytes` bytes of the next such reply, and nothing more until `heal()`. */
    stallReply: (options) => trigger('replies', 'stall', options),
    /** The same for a request. */
    stallRequest: (options) => trigger('requests', 'stall', options),
    /** Puts `garbage` before the next such reply. */
    garbageReply: (options) => trigger('replies', 'garbage', options),
    /** Sends bytes to the client now, asked for or not. */
    inject: (bytes, { only } = {}) => request('inject', { only, bytes: Buffer.from(bytes).toString('base64') }),
    /** Resolves once triggers, which are the verbs of this section, have fired so often altogether. */
    fired: (count = 1) => request('whenFired', { count }),

    // ------------------------------------------------------------------------------------ connections
    /** Closes open connections, all but the first `skip` of them, by RST or (`how: 'end'`) in order. */
    reset: ({ only, how = 'reset', skip = 0 } = {}) => request('reset', { only, how, skip }),
    /** Sends new connections elsewhere. */
    retarget: (target) => request('retarget', { target: address(target) }),
    /** Ends every fault. Connections that lost bytes stay silent, or are reset with `dead: 'reset'`. */
    heal: ({ dead } = {}) => request('heal', { dead }),
    /**
     * `{ ever, open, bytes, frames, dials, fired, connections, at }`: `dials` are the times of all connections in ms since
     * 1970, `connections` the same with `id`, `openedAt`, `closedAt` and `closedBy` (`'client'`, `'server'`, `'proxy'`).
     */
    counters: () => request('counters'),
    close: () => request('close'),
  }
}
