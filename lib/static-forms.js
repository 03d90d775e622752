'use strict'

// Methods that return a value instead of a promise, and so throw instead of rejecting.
const SYNCHRONOUS = new Set([
  'stats',
  'entries',
  'offenders',
  'keyFor',
  'keyOf',
  'idOf',
  'ids',
  'list',
  'peek',
  'with',
  'withSession',
  'setCookie',
])

/** Adds a static form of each method to a class. It is called on the instance that `instance()` returns at call time. */
function addStaticForms(Class, instance) {
  for (const name of methodNamesOf(Class.prototype)) {
    // `length` has none: that of a class is a number.
    if (Object.hasOwn(Class, name)) continue
    const form = SYNCHRONOUS.has(name) ? (...args) => instance()[name](...args) : promised(instance, name)
    Object.defineProperty(form, 'name', { value: name })
    Object.defineProperty(Class, name, { value: form, configurable: true, writable: true })
  }
}

/** The names of the methods of a prototype, own and inherited. */
function methodNamesOf(prototype) {
  if (prototype === Object.prototype) return []
  const own = Object.entries(Object.getOwnPropertyDescriptors(prototype))
    .filter(([name, { value }]) => typeof value === 'function' && name !== 'constructor')
    .map(([name]) => name)
  return [...own, ...methodNamesOf(Object.getPrototypeOf(prototype))]
}

function promised(instance, name) {
  return (...args) => {
    try {
      return instance()[name](...args)
    } catch (error) {
      return Promise.reject(error)
    }
  }
}

module.exports = { SYNCHRONOUS, addStaticForms }
