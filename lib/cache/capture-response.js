'use strict'

const { types } = require('node:util')

const { setHeaders } = require('../session/before-headers.js')
const { OF_BODY, isFresh } = require('./conditional.js')
const { withoutConditions } = require('./conditions.js')
const { MISS } = require('./fetch-cache.js')
const { headersOf, mark, statusOf } = require('./node-headers.js')
const { entryOf, etagOf, isPrivate, whyNot } = require('./stored-response.js')
const { ClientLeftError } = require('./take-turn.js')

const NOTHING = Buffer.alloc(0)

/**
 * Watches what a handler sends over a response of Node.js, which passes through as it comes. Resolves to what is stored of it, or to nothing; as soon
 * as that is known. Rejects with `ClientLeftError` if the connection is closed before the response has ended.
 */
function captureResponse({ vary, maxBytes }, request, asked, response) {
  const before = headersOf(response.getHeaders())
  const { isConditional, giveBack } = withoutConditions(request)
  const { writeHead, write, end } = response
  // What is stored, but for the body; `undefined` before the headers are sent, and if nothing is stored.
  let draft
  let [chunks, length] = [[], 0]
  // The body, if the handler sends it in one piece, with the headers.
  let whole
  let others
  let [isOver, isEnding] = [false, false]

  return new Promise((resolve, reject) => {
    const finish = (settle, value) => {
      if (isOver) return
      isOver = true
      response.removeListener('close', leave)
      chunks = draft = whole = undefined
      giveBack()
      settle(value)
    }
    const leave = () => finish(reject, new ClientLeftError())
    response.on('close', leave)

    /** Decides what becomes of the response, as its headers are sent. Returns the status to send. */
    const decide = (statusCode) => {
      giveBack()
      const headers = headersOf(response.getHeaders())
      const reason = headers ? whyNot({ status: statusCode, headers }, vary, maxBytes) : 'headers'
      const isLarge = reason === undefined && whole !== undefined && whole.length > maxBytes
      draft = undefined
      ;[chunks, length] = [[], 0]
      if (reason === undefined && !isLarge) {
        if (whole !== undefined && statusCode === 200 && !headers.has('etag')) {
          headers.set('etag', etagOf(whole))
          response.setHeader('ETag', headers.get('etag'))
        }
        draft = { status: statusCode, statusText: '', headers }
      }
      const detail = isLarge ? 'size' : reason
      // It is decided again if the headers could not be sent.
      others ??= statusOf(response)
      mark(response, detail ? `${MISS}; detail=${detail}` : MISS, others)
      if (whole === undefined) return statusCode
      const isKnown = statusCode === 200 && headers && (draft || isConditional) && isFresh(asked, headers)
      if (isKnown) for (const name of response.getHeaderNames()) if (OF_BODY.test(name)) response.removeHeader(name)
      if (isKnown) return 304
      // Node.js knows the length itself only if it sends the headers with the body.
      const hasLength = response.hasHeader('content-length') || response.hasHeader('transfer-encoding')
      if (!hasLength && statusCode >= 200 && statusCode !== 204 && statusCode !== 304)
        response.setHeader('Content-Length', whole.length)
      return statusCode
    }

    response.writeHead = function (statusCode, ...rest) {
      if (isOver || response.headersSent) return writeHead.call(this, statusCode, ...rest)
      const given = rest.find((argument) => typeof argument === 'object' && argument !== null)
      if (given) setHeaders(response, given)
      const status = decide(Number(statusCode))
      const message = status === Number(statusCode) ? rest.filter((argument) => typeof argument === 'string') : []
      // Whatever is no status is left to it.
      const written = writeHead.call(this, status === 304 ? 304 : statusCode, ...message)
      // Such as the cookie of a session that this handler has started.
      const final = draft && headersOf(response.getHeaders())
      if (!final || isPrivate(final)) finish(resolve)
      return written
    }

    const keep = (chunk, encoding) => {
      if (!draft) return
      const bytes = bytesOf(chunk, encoding)
      length += bytes?.length ?? 0
      if (bytes === undefined || length > maxBytes) return finish(resolve)
      // A copy, since its owner may use the buffer again.
      chunks.push(typeof chunk === 'string' ? bytes : Buffer.from(bytes))
    }

    response.write = function (chunk, encoding, ...rest) {
      const written = write.call(this, chunk, encoding, ...rest)
      if (!isEnding) keep(chunk, encoding)
      return written
    }

    response.end = function (chunk, encoding, ...rest) {
      if (isOver || isEnding) return end.call(this, chunk, encoding, ...rest)
      isEnding = true
      const hasChunk = chunk !== undefined && chunk !== null && typeof chunk !== 'function'
      try {
        if (!response.headersSent) whole = hasChunk ? bytesOf(chunk, encoding) : NOTHING
        if (whole !== undefined) response.writeHead(response.statusCode)
        const callback = [chunk, encoding, ...rest].find((argument) => typeof argument === 'function')
        const ended = response.statusCode === 304 ? end.call(this, callback) : end.call(this, chunk, encoding, ...rest)
        if (whole === undefined && hasChunk) keep(chunk, encoding)
        if (draft) finish(resolve, entryIn(draft, whole ?? Buffer.concat(chunks, length), before))
        return ended
      } finally {
        whole = undefined
        isEnding = false
      }
    }
  })
}

/** What is stored; nothing if the handler sent another number of bytes than it had said. */
function entryIn(draft, bytes, before) {
  const said = draft.headers.get('content-length')
  return said === null || Number(said) === bytes.length ? entryOf(draft, bytes, before) : undefined
}

/** A part of a body as bytes; `undefined` for what Node.js rejects. */
function bytesOf(chunk, encoding) {
  if (typeof chunk === 'string') {
    const known = typeof encoding === 'string' ? encoding : 'utf8'
    return Buffer.isEncoding(known) ? Buffer.from(chunk, known) : undefined
  }
  return types.isUint8Array(chunk) ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : undefined
}

module.exports = { captureResponse }
