'use strict'

const { ReplyCapture } = require('./capture-reply.js')
const { askedBy } = require('./conditions.js')
const { MISS, storedFor } = require('./fetch-cache.js')
const { mark, toSet } = require('./node-headers.js')
const { resourceOf } = require('./node-cache.js')
const { keyOf } = require('./response-options.js')
const { ClientLeftError, takeTurn } = require('./take-turn.js')

/** The cache in front of the handlers of one scope of Fastify. */
class FastifyCache {
  #own
  // By request: its capture, what to say of it, or that what is sent was stored.
  #states = new WeakMap()

  constructor(own) {
    this.#own = own
  }

  /** Replies with what is stored, or calls `next`. Resolves to whether `next` is still to be called. */
  async respond(request, reply, next) {
    const own = this.#own
    const pass = (status) => Boolean(this.#states.set(request, { status }))
    if (request.method !== 'GET' && request.method !== 'HEAD') return pass('fwd=method')
    const asked = askedBy(request)
    const key = await keyOf(own, asked, () => resourceOf(request), [request])
    if (key === undefined) return pass('fwd=bypass')
    if (request.method === 'HEAD') return !this.#sent(request, reply, await storedFor(own, key, asked)) && pass(MISS)
    const lead = () => {
      if (reply.raw.destroyed) throw new ClientLeftError()
      const capture = new ReplyCapture(own, request, asked, reply)
      this.#states.set(request, { capture })
      next()
      return capture.entry
    }
    const { isLeading, found } = await takeTurn(own, key, asked, [request], lead)
    return !isLeading && !this.#sent(request, reply, found) && pass(MISS)
  }

  /** What to send in the place of a payload. */
  replace(request, reply, payload) {
    const { capture, status, lacksType } = this.#states.get(request) ?? {}
    // Fastify gives bytes a type.
    if (lacksType) reply.removeHeader('content-type')
    if (status !== undefined) mark(reply, status)
    this.#states.delete(request)
    return capture ? capture.replace(reply, payload) : payload
  }

  /** Sends a stored response, if there is one. Returns whether there is nothing left to do. */
  #sent(request, reply, found) {
    // Something else has responded meanwhile, such as a timeout.
    if (reply.sent || reply.raw.destroyed) return true
    if (found === undefined) return false
    const { status, body } = found
    const headers = toSet(found, reply)
    this.#states.set(request, { lacksType: headers.every(([name]) => name !== 'content-type') })
    reply.code(status)
    for (const [name, value] of headers) reply.header(name, value)
    // Without `null`, of which Fastify makes JSON.
    reply.send(body === null || body.length === 0 ? undefined : body)
    return true
  }
}

module.exports = { FastifyCache }
