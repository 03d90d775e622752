'use strict'

const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const TO_END_OF_LINE = '\x1b[K'
const BELOW = '\x1b[J'
// What keys such as arrows send.
const SEQUENCES = /\x1b(\[[\d;?]*[@-~]|O.)/g
const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }

/** The alternate screen of a terminal. Whatever ends the process, the terminal is as it was before. */
class Screen {
  #end
  #restore = () => this.close()
  #isOpen = false
  #listeners = []
  /** Resolves to the exit code once it is to be closed. */
  ended = new Promise((resolve) => (this.#end = resolve))

  /** `redraw()` is called when the size changes. */
  open(redraw) {
    this.#isOpen = true
    process.once('exit', this.#restore)
    // The terminal may be closed at any time, also while the former screen is restored.
    process.stdout.on('error', () => this.#end(0))
    process.stdout.write(ENTER)
    for (const [signal, number] of Object.entries(SIGNALS)) {
      this.#on(process, signal, () => this.#end(signal === 'SIGINT' ? 0 : 128 + number))
    }
    this.#on(process.stdout, 'resize', redraw)
    if (!process.stdin.isTTY) return
    process.stdin.setRawMode(true)
    this.#on(process.stdin, 'data', (bytes) => {
      if (/[q\x03]/i.test(String(bytes).replaceAll(SEQUENCES, ''))) this.#end(0)
    })
    this.#on(process.stdin, 'end', () => this.#end(0))
    process.stdin.resume()
  }

  get isOpen() {
    return this.#isOpen
  }

  get size() {
    // A terminal that does not know its size says 0.
    return { columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 }
  }

  draw(lines) {
    if (!this.#isOpen) return
    process.stdout.write(HOME + lines.map((line) => line + TO_END_OF_LINE).join('\r\n') + BELOW)
  }

  close() {
    if (!this.#isOpen) return
    this.#isOpen = false
    process.off('exit', this.#restore)
    for (const [emitter, event, listener] of this.#listeners) emitter.off(event, listener)
    if (process.stdin.isTTY) {
      process.stdin.setRawMode(false)
      process.stdin.pause()
    }
    process.stdout.write(LEAVE)
  }

  #on(emitter, event, listener) {
    emitter.on(event, listener)
    this.#listeners.push([emitter, event, listener])
  }
}

module.exports = { Screen }
