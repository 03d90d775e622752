// The process that the proxies of a test run in: what they keep and compute is not the test's own memory and time.

import { createServer } from 'node:net'

import { Link, now } from './link.mjs'
import { randomFrom } from './random.mjs'

const clear = () => ({
  drop: false,
  hold: false,
  unread: false,
  delayMs: 0,
  jitterMs: 0,
  dripMs: 0,
  dripBytes: 1,
})

class Proxy {
  links = new Set()
  triggers = []
  bytes = { requests: 0, replies: 0 }
  frames = { requests: 0, replies: 0 }
  rules = { requests: clear(), replies: clear() }
  /** What becomes of a new connection: `'pass'`, `'reset'` or `'silent'`. */
  accept = 'pass'
  dials = []
  history = []
  fired = 0
  #listener
  #waiting = []

  constructor({ target, host = '127.0.0.1', port = 0, seed, raw = false }) {
    Object.assign(this, { target, host, port, raw, random: randomFrom(seed) })
  }

  async listen() {
    if (this.#listener) return
    // A client that is refused must find no listener, so the listener is a new one each time.
    const listener = createServer({ allowHalfOpen: true }, (client) => this.#accepted(client))
    await new Promise((resolve, reject) => {
      listener.once('error', reject)
      listener.listen({ host: this.host, port: this.port, backlog: 4096 }, resolve)
    })
    this.#listener = listener
    this.port = listener.address().port
  }

  #accepted(client) {
    const link = new Link(this, this.dials.length, client)
    this.dials.push(link.openedAt)
    this.links.add(link)
    this.history.push(link)
    if (this.accept === 'reset') link.close('reset')
    else if (this.accept === 'silent') link.keepSilent()
    else link.open()
  }

  /** Sets rules of one direction or both, of one connection or all, those to come included. */
  rule({ direction = 'both', only, ...rule }) {
    for (const name of direction === 'both' ? ['requests', 'replies'] : [direction]) {
      if (only === undefined) Object.assign(this.rules[name], rule)
      for (const link of this.links) if (link.id === only) Object.assign(link.own[name], rule)
    }
    for (const link of this.links) link.changed()
  }

  accepting({ accept }) {
    this.accept = accept
  }

  trigger({ match, garbage, times = 1, ...trigger }) {
    const [source, flags] = match ?? []
    this.triggers.push({
      skip: 0,
      bytes: 0,
      how: 'reset',
      ...trigger,
      times,
      match: match && new RegExp(source, flags),
      garbage: garbage && Buffer.from(garbage, 'base64'),
    })
  }

  fire(trigger) {
    if (--trigger.times <= 0) this.triggers = this.triggers.filter((other) => other !== trigger)
    this.fired++
    this.#waiting = this.#waiting.filter(({ count, resolve }) => this.fired < count || resolve())
  }

  /** Resolves when triggers have fired so many times. */
  async whenFired({ count }) {
    if (this.fired < count) await new Promise((resolve) => this.#waiting.push({ count, resolve }))
  }

  refuse() {
    this.#listener?.close()
    this.#listener = undefined
  }

  reset({ only, how, skip = 0 }) {
    const chosen = [...this.links].filter((link) => only === undefined || link.id === only)
    for (const link of chosen.slice(skip)) link.close(how)
  }

  inject({ only, bytes }) {
    for (const link of this.links) {
      if (link.directions && (only === undefined || link.id === only))
        link.directions.replies.send(Buffer.from(bytes, 'base64'))
    }
  }

  retarget({ target }) {
    this.target = target
  }

  async heal({ dead }) {
    this.rules = { requests: clear(), replies: clear() }
    this.triggers = []
    this.accept = 'pass'
    await this.listen()
    for (const link of this.links) link.heal()
    if (dead === 'reset') {
      for (const link of this.links) {
        if (!link.directions || link.directions.requests.dead || link.directions.replies.dead) link.close('reset')
      }
    }
  }

  counters() {
    const connections = this.history.map(({ id, openedAt, closedAt, closedBy, bytes }) => ({
      id,
      openedAt,
      closedAt,
      closedBy,
      bytes,
    }))
    const { bytes, frames, dials, fired, links } = this
    return { ever: dials.length, open: links.size, bytes, frames, dials, fired, connections, at: now() }
  }

  close() {
    this.refuse()
    for (const link of this.links) link.close('reset')
  }
}

const proxies = new Map()

async function perform({ proxy, verb, args }) {
  if (verb === 'start') {
    const started = new Proxy(args)
    await started.listen()
    proxies.set(proxy, started)
    return { port: started.port }
  }
  return proxies.get(proxy)[verb](args)
}

process.on('message', async (message) => {
  try {
    process.send({ id: message.id, value: await perform(message) })
  } catch (error) {
    process.send({ id: message.id, error: error.message })
  }
})
// It ends with the test, however that ends.
process.on('disconnect', () => process.exit())
