// Where the frames of a RESP stream begin and end, whatever the pieces it comes in.

/** Of a request's words only so much is kept as it takes to recognise them. */
const KEPT = 128

/** Cuts the pieces of one direction of a connection at the ends of frames. */
export class Frames {
  #line = ''
  #skip = 0
  #open = []
  #fresh = true
  #kind = ''
  #broken = false
  #words = []
  #word = ''

  /**
   * Returns what the piece consists of, in order: `{ bytes, starts, ends, push, words }`. `starts` and `ends` say whether a
   * frame does so there, `push` whether it is one that no request asked for. `words` are the frame's first two strings,
   * as far as they are known.
   */
  push(chunk) {
    const parts = []
    let from = 0
    let at = 0
    const emit = (ends) => {
      parts.push({
        bytes: chunk.subarray(from, at),
        starts: this.#fresh,
        ends,
        push: this.#kind === '>',
        words: this.#words,
      })
      from = at
      this.#fresh = ends
      if (ends) this.#words = []
    }
    while (at < chunk.length && !this.#broken) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, chunk.length - at)
        this.#keep(chunk, at, step)
        this.#skip -= step
        at += step
        if (this.#skip === 0 && this.#closes()) emit(true)
        continue
      }
      const newline = chunk.indexOf(10, at)
      const stop = newline < 0 ? chunk.length : newline + 1
      this.#line += chunk.latin1Slice(at, Math.min(stop, at + KEPT))
      at = stop
      if (newline < 0) break
      const line = this.#line
      this.#line = ''
      if (this.#open.length === 0) this.#kind = line[0]
      if (this.#head(line)) emit(true)
    }
    if (this.#broken) at = chunk.length
    if (from < at) emit(false)
    return parts
  }

  /** Reads a line; returns whether it ends a frame. */
  #head(line) {
    const count = Number.parseInt(line.slice(1), 10)
    switch (line[0]) {
      case '$':
      case '=':
      case '!':
        if (!(count >= 0)) return this.#closes()
        this.#skip = count + 2
        return false
      case '*':
      case '~':
      case '>':
      case '%':
        if (!(count > 0)) return this.#closes()
        this.#open.push(line[0] === '%' ? 2 * count : count)
        return false
      case '+':
      case '-':
      case ':':
      case '_':
      case '#':
      case ',':
      case '(':
        return this.#closes()
      default:
        // No RESP, such as TLS: from here on everything is one long frame.
        this.#broken = true
        return false
    }
  }

  #closes() {
    while (this.#open.length > 0) {
      if (--this.#open[this.#open.length - 1] > 0) return false
      this.#open.pop()
    }
    return true
  }

  #keep(chunk, at, step) {
    if (this.#words.length >= 2) return
    const ends = step === this.#skip
    // The last two bytes are no part of the string.
    const length = Math.max(0, Math.min(step, this.#skip - 2))
    if (this.#word.length < KEPT) this.#word += chunk.latin1Slice(at, at + Math.min(length, KEPT))
    if (!ends) return
    this.#words = [...this.#words, this.#word]
    this.#word = ''
  }
}

/** The same for requests: a frame is kept back until it is whole, so that its words are known where it starts. */
export class Requests {
  #frames = new Frames()
  #held = []
  #size = 0
  #long = false

  push(chunk) {
    const parts = []
    for (const part of this.#frames.push(chunk)) {
      if (this.#long) {
        this.#long = !part.ends
        parts.push(part)
        continue
      }
      this.#held.push(part.bytes)
      this.#size += part.bytes.length
      // What is long is passed on before its end has come: keeping it would be a fault of its own.
      if (!part.ends && this.#size < 65_536) continue
      const bytes = this.#held.length === 1 ? this.#held[0] : Buffer.concat(this.#held)
      parts.push({ bytes, starts: true, ends: part.ends, push: false, words: part.words })
      this.#held = []
      this.#size = 0
      this.#long = !part.ends
    }
    return parts
  }
}
