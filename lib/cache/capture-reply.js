'use strict'

const { Transform, pipeline } = require('node:stream')

const { OF_BODY, isFresh } = require('./conditional.js')
const { withoutConditions } = require('./conditions.js')
const { MISS } = require('./fetch-cache.js')
const { headersOf, mark } = require('./node-headers.js')
const { entryOf, etagOf, isPrivate, whyNot } = require('./stored-response.js')
const { ClientLeftError } = require('./take-turn.js')

/** Watches the reply of Fastify that a handler sends. */
class ReplyCapture {
  /**
   * Resolves to what is stored of the reply, or to nothing, as soon as that is known. Rejects with `ClientLeftError` if the connection is
   * closed before the reply has ended.
   */
  entry
  #own
  #asked
  #before
  #conditions
  #finish
  #raw
  // The status that is to be sent, and what is stored as soon as it is, `{ entry }`.
  #status
  #pending
  #isSent = false

  constructor(own, request, asked, reply) {
    const { raw } = reply
    this.#own = own
    this.#raw = raw
    this.#asked = asked
    this.#before = headersOf(reply.getHeaders())
    this.#conditions = withoutConditions(request.raw)
    this.entry = new Promise((resolve, reject) => {
      const leave = () => {
        this.#conditions.giveBack()
        reject(new ClientLeftError())
      }
      raw.on('close', leave)
      this.#finish = (entry) => {
        this.#conditions.giveBack()
        raw.removeListener('close', leave)
        resolve(entry)
      }
    })
    const { writeHead } = raw
    raw.writeHead = (...args) => {
      this.#whenSent(args)
      return writeHead.apply(raw, args)
    }
  }

  /** Whether the reply has come to the hook that sees what is sent. */
  isKnown = false

  /** What to send in the place of what the handler has sent. */
  replace(reply, sent) {
    if (this.isKnown) return sent
    this.isKnown = true
    this.#conditions.giveBack()
    const payload = this.#replaced(reply, sent)
    this.#status = reply.statusCode
    return payload
  }

  #replaced(reply, sent) {
    const { vary, maxBytes } = this.#own
    const payload = isResponse(sent) ? unpacked(reply, sent) : sent
    const headers = headersOf(reply.getHeaders())
    const response = { status: reply.statusCode, statusText: '', headers }
    const whole = bytesOf(payload)
    const isLarge = whole !== undefined && whole.length > maxBytes
    const reason = (headers ? whyNot(response, vary, maxBytes) : 'headers') ?? (isLarge ? 'size' : undefined)
    mark(reply, reason ? `${MISS}; detail=${reason}` : MISS)
    if (reason !== undefined) this.#finish()
    else if (whole !== undefined) this.#store(reply, response, whole)
    else return this.#teed(payload, response)
    const isConditional = reason === undefined || this.#conditions.isConditional
    if (whole === undefined || !isConditional || response.status !== 200 || !isFresh(this.#asked, headers))
      return payload
    reply.code(304)
    for (const name of Object.keys(reply.getHeaders())) if (OF_BODY.test(name)) reply.removeHeader(name)
    return undefined
  }

  /** Another hook may have set a cookie since, or have failed; a reply that was hijacked is sent without the hook of this one. */
  #whenSent([status, ...rest]) {
    this.#isSent = true
    const given = rest.find((argument) => typeof argument === 'object' && argument !== null)
    const headers = headersOf({ ...this.#raw.getHeaders(), ...given })
    const isSame = this.isKnown && status === this.#status
    if (!isSame || headers === undefined || isPrivate(headers)) this.#finish()
    else if (this.#pending) this.#finish(this.#pending.entry)
  }

  #store(reply, response, bytes) {
    const { headers, status } = response
    if (status === 200 && !headers.has('etag')) {
      headers.set('etag', etagOf(bytes))
      reply.header('ETag', headers.get('etag'))
    }
    this.#finishWhenSent(entryOf(response, bytes, this.#before))
  }

  #finishWhenSent(entry) {
    if (this.#isSent) this.#finish(entry)
    else this.#pending = { entry }
  }

  /** A stream with the same bytes, which are stored when it has ended. */
  #teed(payload, response) {
    const { maxBytes } = this.#own
    const said = response.headers.get('content-length')
    let [chunks, length] = [[], 0]
    const keep = (chunk) => {
      if (!chunks) return
      const bytes = bytesOf(chunk)
      length += bytes?.length ?? 0
      if (bytes === undefined || length > maxBytes) {
        chunks = undefined
        this.#finish()
      } else chunks.push(Buffer.from(bytes))
    }
    const end = () => {
      if (!chunks) return
      const isWhole = said === null || Number(said) === length
      this.#finishWhenSent(isWhole ? entryOf(response, Buffer.concat(chunks, length), this.#before) : undefined)
    }
    if (typeof payload?.getReader === 'function' && !payload.locked) {
      const transform = (chunk, controller) => {
        keep(chunk)
        controller.enqueue(chunk)
      }
      return payload.pipeThrough(new TransformStream({ transform, flush: end }, undefined, { highWaterMark: 0 }))
    }
    if (typeof payload?.read === 'function' && typeof payload.destroy === 'function') {
      const transform = (chunk, _, callback) => {
        keep(chunk)
        callback(null, chunk)
      }
      const flush = (callback) => {
        end()
        callback()
      }
      // An error of one ends the other, too.
      return pipeline(payload, new Transform({ transform, flush }), () => {})
    }
    this.#finish()
    return payload
  }
}

function isResponse(payload) {
  return Object.prototype.toString.call(payload) === '[object Response]'
}

/** Takes the status and headers of a response of fetch into a reply, as Fastify does after the hook. Returns its body. */
function unpacked(reply, { status, headers, body }) {
  reply.code(status)
  for (const [name, value] of headers) reply.header(name, value)
  return body
}

/** A payload as bytes; `undefined` for a stream. */
function bytesOf(payload) {
  if (payload === undefined || payload === null) return Buffer.alloc(0)
  if (typeof payload === 'string') return Buffer.from(payload)
  return ArrayBuffer.isView(payload) ? Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength) : undefined
}

module.exports = { ReplyCapture }
