'use strict'

const { createHash } = require('node:crypto')

const DEFAULT_PREFIX = 'next:'

/** The keys of one prefix. What Next.js calls a key may be of any length and contain any data, so only its hash is in them. */
class Keys {
  #prefix

  constructor(prefix) {
    this.#prefix = prefix
    // In one slot of a cluster, since scripts use both.
    this.tags = [`${prefix}{tags}`, `${prefix}{tags}:order`]
  }

  /** Of a function with 'use cache', whose key has the build in it, unless Next.js knows that the function is the same in another. */
  useCache(key) {
    return `${this.#prefix}use:${hashOf(key)}`
  }

  /** Of a response to `fetch`, or of `unstable_cache`. These are valid in every build. */
  fetch(key) {
    return `${this.#prefix}fetch:${hashOf(key)}`
  }

  /** Of a page, of the response of a route, or of an image. */
  ofBuild(kind, build, key) {
    return `${this.#prefix}${kind}:${nameOf(build)}:${hashOf(key)}`
  }
}

// In UTF-16, which can express any string.
function hashOf(key) {
  return createHash('sha256').update(String(key), 'utf16le').digest('hex')
}

/** A build's id without what has a meaning in keys, in patterns or in commands. */
function nameOf(build) {
  return build.length <= 64 && /^[\w.-]+$/.test(build) ? build : hashOf(build)
}

module.exports = { DEFAULT_PREFIX, Keys }
