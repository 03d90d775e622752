'use strict'

// Methods that return a value instead of a promise, and so throw instead of rejecting.
const SYNCHRONOUS = new Set(['stats', 'keyFor', 'with'])

/** Adds a static form of each method to a class. It is called on the instance that `instance()` returns at call time. */
function addStaticForms(Class, instance) {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(Class.prototype))) {
    if (typeof value !== 'function' || name === 'constructor' || Object.hasOwn(Class, name)) continue
    const twin = SYNCHRONOUS.has(name) ? (...args) => instance()[name](...args) : promised(instance, name)
    Object.defineProperty(twin, 'name', { value: name })
    Object.defineProperty(Class, name, { value: twin, configurable: true, writable: true })
  }
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
