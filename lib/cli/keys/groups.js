'use strict'

// Keys by what they begin with.

const { features } = require('../../doctor/features.js')

const SAMPLE = 50
const NO_TTL = -1
const MISSING = -2
/** Features whose keys have ids in them that open a session. */
const SECRET = ['sessions', 'express-session', 'better-auth']
const SHOWN_CHARACTERS = 6
// A random id is longer than most words.
const RANDOM_ID = /[\w-]{20,}/g

/** Keys with one prefix; of no known one if it is null. */
class Group {
  keys = 0
  withoutTtl = 0
  unknownTtl = 0
  shortest = Infinity
  longest = -Infinity
  /** Keys to measure: each key is among them with the same probability. */
  sample = []
  /** Bytes by key of the sample that could be measured; null if none may be. */
  sizes = null

  constructor(prefix, feature) {
    this.prefix = prefix
    this.feature = feature?.name ?? null
    this.expires = feature?.expires ?? false
  }

  /** Adds a key with its remaining ms; undefined if they are unknown. Returns whether the key still existed. */
  add(key, ttl) {
    // A name that is not UTF-8 is not the name that the server was asked about.
    const isUnknown = ttl === undefined || (ttl === MISSING && key.includes('\ufffd'))
    if (ttl === MISSING && !isUnknown) return false
    this.keys++
    if (isUnknown) this.unknownTtl++
    else if (ttl === NO_TTL) this.withoutTtl++
    else this.#note(ttl)
    if (this.sample.length < SAMPLE) this.sample.push(key)
    else {
      const at = Math.floor(Math.random() * this.keys)
      if (at < SAMPLE) this.sample[at] = key
    }
    return true
  }

  #note(ttl) {
    this.shortest = Math.min(this.shortest, ttl)
    this.longest = Math.max(this.longest, ttl)
  }

  /** `{ sampled, meanBytes, estimatedBytes }`; null if nothing could be measured. */
  get memory() {
    if (!this.sizes?.length) return null
    const mean = this.sizes.reduce((sum, size) => sum + size, 0) / this.sizes.length
    return {
      sampled: this.sizes.length,
      meanBytes: Math.round(mean),
      estimatedBytes: Math.round(mean * this.keys),
    }
  }

  /** The name of a key as it may be shown. */
  shownName(key) {
    if (SECRET.includes(this.feature)) {
      const rest = [...key.slice(this.prefix.length)]
      return rest.length > SHOWN_CHARACTERS ? `${this.prefix}${rest.slice(0, SHOWN_CHARACTERS).join('')}…` : key
    }
    // What is not of cinnabar's prefixes may be the session of an application that has set its own.
    if (this.feature === null) return key.replaceAll(RANDOM_ID, (id) => `${id.slice(0, SHOWN_CHARACTERS)}…`)
    return key
  }
}

/** All groups, those with longer prefixes first; the last one takes any key. */
function makeGroups(prefixes) {
  const known = features.flatMap((feature) => feature.prefixes.map((prefix) => new Group(prefix, feature)))
  const added = prefixes
    .filter((prefix) => !known.some((group) => group.prefix === prefix))
    .map((prefix) => new Group(prefix))
  const all = [...new Map([...known, ...added].map((group) => [group.prefix, group])).values()]
  return [...all.sort((a, b) => b.prefix.length - a.prefix.length), new Group(null)]
}

function groupOf(groups, key) {
  return groups.find(({ prefix }) => prefix === null || key.startsWith(prefix))
}

module.exports = { groupOf, makeGroups }
