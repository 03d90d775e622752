'use strict'

/** Wraps a caller's function so that a failure is passed to `onError` and cannot end the process or the subscription. */
function safeCallback(callback, onError) {
  return (value, about) => {
    try {
      const result = callback(value, about)
      if (typeof result?.then === 'function') result.then(undefined, onError)
    } catch (error) {
      onError(error)
    }
  }
}

/** Returns a function that logs the first failure of a handler of `name`. Repeated failures must not flood the log. */
function logOnce(name) {
  return once((error) =>
    console.error(`A handler subscribed to ${JSON.stringify(name)} failed (further failures are not shown):`, error),
  )
}

/** Returns a function whose first call calls `callback`; later calls do nothing. */
function once(callback) {
  let isCalled = false
  return (value) => {
    if (isCalled) return
    isCalled = true
    callback(value)
  }
}

module.exports = { logOnce, once, safeCallback }
