'use strict'

const WHY =
  'cinnabar is a native addon and runs in Node.js, Deno and Bun, not in an edge runtime or a browser. ' +
  "In Next.js, use the Node.js runtime: export const runtime = 'nodejs' in a route, " +
  "export const config = { runtime: 'nodejs' } in a middleware.ts; proxy.ts has no other."

// Read by what only inspects a value: promises, consoles, React.
const INSPECTED = new Set(['then', 'toJSON', '$$typeof', 'displayName'])

/** A value that throws an error, which says what is wrong, when it is used. */
function unsupported(name) {
  const refuse = () => {
    throw new Error(`${name} cannot be used here: ${WHY}`)
  }
  return new Proxy(function () {}, {
    apply: refuse,
    construct: refuse,
    set: refuse,
    get(target, key) {
      if (key in target) return target[key]
      return typeof key === 'symbol' || INSPECTED.has(key) ? undefined : refuse()
    },
  })
}

module.exports = { unsupported }
