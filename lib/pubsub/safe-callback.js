'use strict'

/** A failing handler must not end the process or the subscription, and repeated failures must not flood the log. */
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

/** Logs the first failure of the handler with this name. */
function complainOnce(name) {
  return once((error) =>
    console.error(`A handler subscribed to ${JSON.stringify(name)} failed (further failures are not shown):`, error),
  )
}

/** Only the first call calls `tell`. */
function once(tell) {
  let told = false
  return (value) => {
    if (told) return
    told = true
    tell(value)
  }
}

module.exports = { complainOnce, guarded, once }
