'use strict'

const { argumentError } = require('../error.js')
const { describeNumber } = require('../options.js')
const { LONGEST, assertTtl } = require('../ttl.js')

const LOAD_OPTIONS = ['eagerRefresh', 'jitter', 'nullTtl', 'errorTtl']
// Without the option: which share of its ttl a value may lose, if it is fresh for so many seconds at least.
const JITTER = 0.01
const LEAST_JITTERED_TTL = 60
const MOST_JITTER = 0.9

/** When loaded values are replaced, and how long they and failures last: the defaults of a cache, or the options of a call. */
class LoadOptions {
  #own

  constructor(options) {
    const { eagerRefresh, jitter, nullTtl, errorTtl } = options
    if (eagerRefresh !== undefined && !(typeof eagerRefresh === 'number' && eagerRefresh > 0 && eagerRefresh < 1)) {
      throw argumentError(`eagerRefresh must be a number above 0 and below 1, got ${describeNumber(eagerRefresh)}`)
    }
    if (jitter !== undefined && !(typeof jitter === 'number' && jitter >= 0 && jitter <= MOST_JITTER)) {
      throw argumentError(`jitter must be a number from 0 to ${MOST_JITTER}, got ${describeNumber(jitter)}`)
    }
    if (nullTtl !== undefined) assertTtl(nullTtl, 'nullTtl')
    if (errorTtl !== undefined) assertTtl(errorTtl, 'errorTtl')
    this.#own = { eagerRefresh, jitter, nullTtl, errorTtl }
  }

  /** These, with the options of a call in front of them. */
  with(own) {
    const given = LOAD_OPTIONS.filter((name) => own[name] !== undefined)
    if (given.length === 0) return this
    return new LoadOptions({ ...this.#own, ...Object.fromEntries(given.map((name) => [name, own[name]])) })
  }

  /** These without some of them. */
  without(...names) {
    return new LoadOptions({ ...this.#own, ...Object.fromEntries(names.map((name) => [name, undefined])) })
  }

  get isEager() {
    return this.#own.eagerRefresh !== undefined
  }

  /** How long a failure lasts, in seconds, or undefined. */
  get errorTtl() {
    return this.#own.errorTtl
  }

  /** Whether a value that was fresh for `lifeMs` milliseconds, and is for `freshMs` more, is to be replaced already. */
  isDue(freshMs, lifeMs) {
    return this.isEager && freshMs < lifeMs * (1 - this.#own.eagerRefresh)
  }

  /** For how many seconds loaded JSON is fresh of which `ttl` was asked for. */
  ttlOf(json, ttl) {
    const { jitter, nullTtl } = this.#own
    const whole = json === 'null' && nullTtl !== undefined ? Math.min(nullTtl, ttl) : ttl
    if (whole === LONGEST) return whole
    const share = jitter ?? (whole >= LEAST_JITTERED_TTL ? JITTER : 0)
    return whole * (1 - share * Math.random())
  }
}

module.exports = { LOAD_OPTIONS, LoadOptions }
