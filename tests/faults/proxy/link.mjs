// One connection through the proxy: a client's socket, the server's, and what happens to the bytes between them.

import { createConnection } from 'node:net'

import { Frames, Requests } from './frames.mjs'

/** So much may wait in one direction before its source is no longer read, as a kernel's buffer would have it. */
const HIGH = 4 << 20

/** Keeps bytes back, late or in small pieces, and in order. */
class Direction {
  #queue = []
  #size = 0
  #due = 0
  #timer
  #afterwards = []

  constructor(link, name, source, sink) {
    Object.assign(this, { link, name, source, sink, stalled: false, dead: false })
    sink.on('drain', () => this.#relieve())
  }

  send(bytes) {
    const rule = this.link.rule(this.name)
    // What a connection once lost it never gets again: TCP loses no bytes out of its middle, only all from some point on.
    if (rule.drop) this.dead = true
    if (this.dead || bytes.length === 0) return
    const now = performance.now()
    const wait = rule.delayMs + rule.jitterMs * this.link.random()
    this.#due = Math.max(this.#due, wait > 0 ? now + wait : 0)
    this.#queue.push({ bytes, due: this.#due })
    this.#size += bytes.length
    this.#pump()
    if (this.#size > HIGH) this.source.pause()
  }

  /** Runs this once everything sent before has been written. */
  after(action) {
    this.#afterwards.push(action)
    this.#pump()
  }

  /** Whether nothing passes now. */
  get blocked() {
    return this.dead || this.stalled || this.link.rule(this.name).hold
  }

  /** From here on nothing passes until it is healed. */
  stall() {
    this.stalled = true
  }

  /** Lets everything out that was kept back. */
  heal() {
    this.stalled = false
    for (const entry of this.#queue) entry.due = 0
    this.#due = 0
    this.#pump()
    this.#relieve()
  }

  /** Takes over a rule that was changed. */
  changed() {
    if (this.link.rule(this.name).drop) this.dead = true
    if (this.dead) this.#clear()
    if (this.name === 'requests' && this.link.rule('requests').unread) this.source.pause()
    this.#pump()
  }

  close() {
    clearTimeout(this.#timer)
    this.#clear()
  }

  #clear() {
    this.#queue = []
    this.#size = 0
  }

  #pump() {
    clearTimeout(this.#timer)
    const rule = this.link.rule(this.name)
    const out = []
    while (this.#queue.length > 0 && !this.stalled && !rule.hold) {
      const entry = this.#queue[0]
      const wait = entry.due - performance.now()
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#pump(), wait)
        break
      }
      if (rule.dripMs > 0) {
        const piece = entry.bytes.subarray(0, rule.dripBytes)
        entry.bytes = entry.bytes.subarray(piece.length)
        this.#size -= piece.length
        if (entry.bytes.length === 0) this.#queue.shift()
        out.push(piece)
        this.#timer = setTimeout(() => this.#pump(), rule.dripMs)
        break
      }
      this.#queue.shift()
      this.#size -= entry.bytes.length
      out.push(entry.bytes)
    }
    if (out.length > 0) this.#write(out.length === 1 ? out[0] : Buffer.concat(out))
    if (this.#queue.length === 0) for (const action of this.#afterwards.splice(0)) action()
    if (this.#size < HIGH / 4) this.#relieve()
  }

  #write(bytes) {
    if (this.sink.destroyed || this.sink.writableEnded) return
    this.link.count(this.name, bytes.length)
    if (!this.sink.write(bytes)) this.source.pause()
  }

  #relieve() {
    const unread = this.name === 'requests' && this.link.rule('requests').unread
    if (!unread && this.#size <= HIGH && !this.sink.writableNeedDrain) this.source.resume()
  }
}

export class Link {
  closedAt = null
  closedBy = null
  bytes = { requests: 0, replies: 0 }
  own = { requests: {}, replies: {} }
  /** The words of each request whose reply has not come yet. */
  #asked = []
  #splitters

  /** `proxy` gives `rules`, `triggers`, `random`, `target`, `raw` and `fire(trigger, link)`. */
  constructor(proxy, id, client) {
    Object.assign(this, { proxy, id, client, openedAt: now() })
    client.setNoDelay(true)
    client.on('error', () => {})
    client.on('close', () => this.#closed())
  }

  random = () => this.proxy.random()
  rule = (name) => ({ ...this.proxy.rules[name], ...this.own[name] })
  count(name, bytes) {
    this.bytes[name] += bytes
    this.proxy.bytes[name] += bytes
  }

  /** Accepts and never says a word, now or later. */
  keepSilent() {
    this.client.on('end', () => this.client.destroy())
    this.client.resume()
  }

  /** Connects to the server and passes on what comes. */
  open() {
    const server = (this.server = createConnection(this.proxy.target))
    server.setNoDelay(true)
    server.on('error', () => {})
    this.directions = {
      requests: new Direction(this, 'requests', this.client, server),
      replies: new Direction(this, 'replies', server, this.client),
    }
    this.#splitters = this.proxy.raw ? undefined : { requests: new Requests(), replies: new Frames() }
    this.client.on('data', (chunk) => this.#received('requests', chunk))
    server.on('data', (chunk) => this.#received('replies', chunk))
    this.client.on('end', () => {
      this.#left('client')
      // What is swallowed or kept back on the way to the server keeps the end of it back too, but not from the client.
      if (this.directions.requests.blocked) this.client.destroy()
      else this.directions.requests.after(() => server.end())
    })
    server.on('end', () => this.#serverLeft(() => this.client.end()))
    server.on('close', (failed) => {
      if (failed) this.#serverLeft(() => this.client.resetAndDestroy())
    })
    for (const direction of Object.values(this.directions)) direction.changed()
  }

  #serverLeft(close) {
    const { replies } = this.directions
    // A client that hears nothing does not hear the end of it either.
    if (replies.dead) return
    replies.after(() => {
      this.#left('server')
      close()
    })
  }

  #received(name, chunk) {
    const direction = this.directions[name]
    if (!this.#splitters) return direction.send(chunk)
    let plain = []
    const flush = () => {
      if (plain.length > 0) direction.send(plain.length === 1 ? plain[0] : Buffer.concat(plain))
      plain = []
    }
    for (const part of this.#splitters[name].push(chunk)) {
      const trigger = part.starts ? this.#begins(name, part) : undefined
      if (!trigger) {
        plain.push(part.bytes)
        continue
      }
      flush()
      if (this.#act(trigger, direction, part.bytes)) return
    }
    flush()
  }

  /** A frame begins: which trigger is meant for it, if any. */
  #begins(name, part) {
    let words = part.words
    if (name === 'requests') this.#asked.push(words)
    else if (!part.push) words = this.#asked.shift() ?? []
    this.proxy.frames[name]++
    const text = words.join(' ')
    return this.proxy.triggers.find(
      (trigger) =>
        trigger.on === name &&
        (trigger.only === undefined || trigger.only === this.id) &&
        (!trigger.match || trigger.match.test(text)) &&
        trigger.skip-- <= 0,
    )
  }

  /** Does what a trigger says to a frame; returns whether the connection ends with it. */
  #act(trigger, direction, bytes) {
    const { action } = trigger
    const room = Math.max(0, bytes.length - 1)
    const cut = trigger.bytes === 'random' ? Math.floor(this.random() * (room + 1)) : Math.min(trigger.bytes, room)
    if (action === 'garbage') {
      direction.send(trigger.garbage)
      direction.send(bytes)
    } else {
      direction.send(bytes.subarray(0, cut))
    }
    if (action === 'stall') {
      direction.after(() => {
        direction.stall()
        direction.send(bytes.subarray(cut))
      })
    }
    if (action === 'cut') direction.after(() => this.close(trigger.how))
    this.proxy.fire(trigger, this)
    return action === 'cut'
  }

  changed() {
    for (const direction of Object.values(this.directions ?? {})) direction.changed()
  }

  heal() {
    this.own = { requests: {}, replies: {} }
    for (const direction of Object.values(this.directions ?? {})) direction.heal()
  }

  /** Closes both sides: `'reset'` as a crash does, `'end'` as a shutdown does. */
  close(how = 'reset') {
    this.#left('proxy')
    this.server?.destroy()
    if (how === 'end') this.client.end(() => this.client.destroy())
    else this.client.resetAndDestroy()
  }

  /** One end closed it; the first is what counts. */
  #left(who) {
    this.closedBy ??= who
    this.closedAt ??= now()
  }

  #closed() {
    this.#left('client')
    this.server?.destroy()
    for (const direction of Object.values(this.directions ?? {})) direction.close()
    this.proxy.links.delete(this)
  }
}

/** Milliseconds since 1970, finer than `Date.now()` and never set back. */
export const now = () => performance.timeOrigin + performance.now()
