'use strict'

const { limitsWithin } = require('./call-limits.js')
const { ownOptions } = require('./options.js')

const CALL_LIMITS = ['timeoutMs', 'signal']
// By the names of a method's own options: the same with those of limits.
const withLimits = new WeakMap()
const NOTHING = Object.freeze({ __proto__: null })

let partsOf, limitsOf

/** The base of every class whose calls `with({ signal, timeoutMs })` can limit. */
class Limitable {
  #parts
  #limits

  /**
   * `first` is the first argument of the public constructor. `init()` reads the arguments and returns `{ parts, limits }`; it is not
   * called for an object that `with()` derives from another. `parts.within(limits, self)` returns the parts of such an object.
   */
  constructor(first, init) {
    const { parts, limits } = derivationFor(first, new.target) ?? init()
    this.#parts = parts
    this.#limits = limits
  }

  with(options) {
    return derive(this, derivation(this, options))
  }

  static {
    partsOf = (object) => object.#parts
    limitsOf = (object) => object.#limits
  }
}

/** Takes the place of the constructor's arguments in an object that is derived from another. */
class Derivation {
  constructor(parts, limits) {
    this.parts = parts
    this.limits = limits
    DERIVATIONS.add(this)
  }
}

const DERIVATIONS = new WeakSet()

// The derivation for which the constructor of a subclass runs, until that constructor has called `super()`.
let pending

function derivation(object, options) {
  const limits = limitsWithin(limitsOf(object), options)
  return new Derivation(partsOf(object).within(limits, object), limits)
}

/** The derivation that the object under construction gets; `undefined` for an object that a caller makes. */
function derivationFor(first, target) {
  if (pending?.target !== target) return DERIVATIONS.has(first) ? first : undefined
  const { derivation } = pending
  pending = undefined
  return derivation
}

/**
 * An object of the same class as `object`. The constructor of a caller's subclass runs too, whatever it passes to `super()`,
 * because nothing else gives an object its private fields. One that needs its own arguments throws; the object is then made
 * without it. Other fields are copied.
 */
function derive(object, derivation) {
  const { constructor } = object
  const Class = classOf(object)
  if (constructor === Class) return new Class(derivation)
  const derived = constructed(constructor, derivation) ?? Reflect.construct(Class, [derivation], constructor)
  // Unlike `Object.defineProperties`, this ignores properties that the constructor has fixed or frozen.
  for (const name of Reflect.ownKeys(object)) {
    Reflect.defineProperty(derived, name, Reflect.getOwnPropertyDescriptor(object, name))
  }
  return derived
}

/** The class of this package that `object` belongs to, of whatever subclass it is. */
function classOf(object) {
  let prototype = Object.getPrototypeOf(object)
  while (Object.getPrototypeOf(prototype) !== Limitable.prototype) prototype = Object.getPrototypeOf(prototype)
  return prototype.constructor
}

function constructed(constructor, derivation) {
  const outer = pending
  pending = { target: constructor, derivation }
  try {
    const derived = new constructor(derivation)
    return pending === undefined ? derived : undefined
  } catch {
    return undefined
  } finally {
    pending = outer
  }
}

function namesWithLimits(names) {
  let all = withLimits.get(names)
  if (!all) withLimits.set(names, (all = [...names, ...CALL_LIMITS]))
  return all
}

/**
 * Reads the options of one call: those of these names, and `{ signal, timeoutMs }`. Returns the object to make the call on, which is
 * `object` itself without such limits, and all options. Never runs the constructor of a caller's subclass.
 */
function readCall(object, options, names) {
  if (options === undefined) return [object, NOTHING]
  const own = ownOptions(options, namesWithLimits(names))
  const { timeoutMs, signal } = own
  if (timeoutMs === undefined && signal === undefined) return [object, own]
  const limits = { __proto__: null }
  if (timeoutMs !== undefined) limits.timeoutMs = timeoutMs
  if (signal !== undefined) limits.signal = signal
  return [new (classOf(object))(derivation(object, limits)), own]
}

module.exports = { Limitable, limitsOf, partsOf, readCall }
