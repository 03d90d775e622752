'use strict'

/** One bad message must neither end the process nor the subscription, and a flood of them must not flood the log. */
function guarded(handler, complain) {
  return (value, about) => {
    try {
      const result = handler(value, about)
      if (typeof result?.then === 'function') result.then(undefined, complain)
    } catch (error) {
      complain(error)
    }
  }
}

/** Says on the console, once, that a handler of this name failed. */
function complainOnce(name) {
  return once((error) =>
    console.error(`A handler subscribed to ${JSON.stringify(name)} failed (further failures are not shown):`, error),
  )
}

/** The first call calls `tell`. */
function once(tell) {
  let told = false
  return (value) => {
    if (told) return
    told = true
    tell(value)
  }
}

module.exports = { complainOnce, guarded, once }
