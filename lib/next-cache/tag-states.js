'use strict'

const { READ, UPDATE } = require('./scripts.js')
const { localTime } = require('./store-clock.js')

const MOST_TAGS = 100_000

/** The states of tags as a script has read them: what they make of entries. */
class TagStates {
  constructor(now, since, states) {
    this.now = now
    this.since = since
    this.states = states
  }

  /** Whether all these tags were read. */
  has(tags) {
    return tags.every((tag) => this.states.has(tag))
  }

  /** With other tags, which were read later. */
  and(other) {
    const since = Math.max(this.since, other.since)
    return new TagStates(other.now, since, new Map([...this.states, ...other.states]))
  }

  /** What an entry with these tags, all of them read, is that was made at a time of the store in milliseconds: `fresh`, `stale` or `expired`. */
  classify(tags, madeAt) {
    const made = madeAt * 1000
    if (made <= this.since) return 'expired'
    let result = 'fresh'
    for (const tag of tags) {
      const { expired, stale, due } = this.states.get(tag)
      if (made <= expired || (made <= stale && due > 0 && due <= this.now)) return 'expired'
      if (made <= stale) result = 'stale'
    }
    return result
  }
}

/** Reads and invalidates tags in the store, whose clock it observes. */
class Tags {
  #keys
  #keepMs
  #clock
  #waiting

  constructor(keys, keepMs, clock) {
    this.#keys = keys.tags
    this.#keepMs = keepMs
    this.#clock = clock
  }

  /** The states of these tags. Calls of one tick share a script. */
  read(client, tags) {
    if (this.#waiting?.client !== client) this.#waiting = this.#begin(client)
    const { wanted, states } = this.#waiting
    for (const tag of tags) wanted.add(tag)
    return states
  }

  #begin(client) {
    const wanted = new Set()
    const begin = async () => {
      await undefined
      if (this.#waiting?.wanted === wanted) this.#waiting = undefined
      return this.#readNow(client, [...wanted])
    }
    return { client, wanted, states: begin() }
  }

  async #readNow(client, tags) {
    const [seconds, micros, since, ...found] = await this.#run(client, READ, [this.#keepMs, ...tags.map(fieldOf)])
    const states = new Map(tags.map((tag, at) => [tag, stateOf(found[at])]))
    return new TagStates(Number(seconds) * 1e6 + Number(micros), Number(since), states)
  }

  /** Invalidates tags: at once, or makes them stale until they expire after some seconds, which may be `Infinity`. */
  async update(client, tags, durations) {
    await this.#run(client, UPDATE, [this.#keepMs, MOST_TAGS, expiryOf(durations), ...tags.map(fieldOf)])
  }

  async #run(client, script, args) {
    const calledAt = localTime()
    const reply = await client.eval(script, 2, ...this.#keys, ...args.map(String))
    this.#clock.observe(calledAt, Number(reply[0]) * 1000 + Number(reply[1]) / 1000, localTime())
    return reply
  }
}

// Not the name of another field, whatever the tag is; what no text can carry is written as an escape.
function fieldOf(tag) {
  const text = String(tag)
  return text.isWellFormed() ? `#${text}` : JSON.stringify(text)
}

function stateOf(text) {
  const [expired = 0, stale = 0, due = 0] = (text ?? '').split(' ').map(Number)
  return { expired, stale, due }
}

// As ARGV of the script.
function expiryOf(durations) {
  if (!durations) return ''
  const { expire } = durations
  if (expire === undefined || expire === Infinity) return 'never'
  // What is no number must not keep an entry valid.
  return expire >= 0 ? Math.min(expire * 1000, 1e15).toFixed(0) : ''
}

module.exports = { Tags }
