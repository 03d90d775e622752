'use strict'

/** Runs a function; resolves to whether it has called one of these methods of an object, even if that takes effect later. */
async function callsAny(object, names, run) {
  let hasCalled = false
  const restores = names.map((name) => {
    const method = object[name]
    return replace(object, name, function watched(...args) {
      hasCalled = true
      return method.apply(this, args)
    })
  })
  try {
    await run()
  } finally {
    for (const restore of restores) restore()
  }
  return hasCalled
}

/** Gives an object a property of its own; returns what takes it away again, unless it was replaced since. */
function replace(object, name, value) {
  const own = Object.getOwnPropertyDescriptor(object, name)
  Object.defineProperty(object, name, { value, configurable: true, writable: true })
  return () => {
    if (object[name] !== value) return
    if (own) Object.defineProperty(object, name, own)
    else delete object[name]
  }
}

module.exports = { callsAny, replace }
