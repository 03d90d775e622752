// The wire format of Redis, RESP2, as far as tests and the bench need it.

const CRLF = Buffer.from('\r\n')

/** Encodes a command: an array of bulk strings. A Buffer stays as it is, anything else is written as text. */
export function encode(args) {
  const parts = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) {
    const bytes = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg))
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF)
  }
  return Buffer.concat(parts)
}

/**
 * Decodes the value that begins at `at`: `{ value, next }`, where `next` is the offset after it, or undefined while it is
 * incomplete. A value is a string, a number, an array, null, or an Error whose message is the server's line.
 */
export function decode(bytes, at = 0) {
  const stop = bytes.indexOf(CRLF, at)
  if (stop < 0) return undefined
  const text = bytes.toString('utf8', at + 1, stop)
  let next = stop + 2
  switch (String.fromCharCode(bytes[at])) {
    case '+':
      return { value: text, next }
    case '-':
      return { value: new Error(text), next }
    case ':':
      return { value: Number(text), next }
    case '$': {
      if (text === '-1') return { value: null, next }
      const close = next + Number(text)
      if (bytes.length < close + 2) return undefined
      return { value: bytes.toString('utf8', next, close), next: close + 2 }
    }
    case '*': {
      if (text === '-1') return { value: null, next }
      const value = []
      for (let i = 0; i < Number(text); i++) {
        const item = decode(bytes, next)
        if (!item) return undefined
        value.push(item.value)
        next = item.next
      }
      return { value, next }
    }
    default:
      throw new Error(`not RESP2: ${text}`)
  }
}
