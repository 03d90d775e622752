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
  #eagerRefresh
  #jitter
  #nullTtl

  constructor({ eagerRefresh, jitter, nullTtl, errorTtl }) {
    if (eagerRefresh !== undefined && !(typeof eagerRefresh === 'number' && eagerRefresh > 0 && eagerRefresh < 1)) {
      throw argumentError(`eagerRefresh must be a number above 0 and below 1, got ${describeNumber(eagerRefresh)}`)
    }
    if (jitter !== undefined && !(typeof jitter === 'number' && jitter >= 0 && jitter <= MOST_JITTER)) {
      throw argumentError(`jitter must be a number from 0 to ${MOST_JITTER}, got ${describeNumber(jitter)}`)
    }
    if (nullTtl !== undefined) assertTtl(nullTtl, 'nullTtl')
    if (errorTtl !== undefined) assertTtl(errorTtl, 'errorTtl')
    this.#eagerRefresh = eagerRefresh
    this.#jitter = jitter
    this.#nullTtl = nullTtl
    /** How long a failure lasts, in seconds, or undefined. */
    this.errorTtl = errorTtl
  }

  /** These, with the options of a call in front of them. */
  with(own) {
    if (LOAD_OPTIONS.every((name) => own[name] === undefined)) return this
    const given = LOAD_OPTIONS.filter((name) => own[name] !== undefined).map((name) => [name, own[name]])
    const defaults = {
      eagerRefresh: this.#eagerRefresh,
      jitter: this.#jitter,
      nullTtl: this.#nullTtl,
      errorTtl: this.errorTtl,
    }
    return new LoadOptions({ ...defaults, ...Object.fromEntries(given) })
  }

  get isEager() {
    return this.#eagerRefresh !== undefined
  }

  /** Whether a value with this ttl, which is fresh for `freshMs` more milliseconds, is to be replaced already. */
  isDue(freshMs, ttl) {
    return this.isEager && freshMs < ttl * 1000 * (1 - this.#eagerRefresh)
  }

  /** For how many seconds loaded JSON is fresh of which `ttl` was asked for. */
  ttlOf(json, ttl) {
    const whole = json === 'null' && this.#nullTtl !== undefined ? Math.min(this.#nullTtl, ttl) : ttl
    if (whole === LONGEST) return whole
    const jitter = this.#jitter ?? (whole >= LEAST_JITTERED_TTL ? JITTER : 0)
    return whole * (1 - jitter * Math.random())
  }
}

module.exports = { LOAD_OPTIONS, LoadOptions }
