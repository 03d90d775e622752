/** Publishes messages, as many as are heard: one a time slot, or a number of them in flight. */
import { clock } from './clock.mjs'

/** How often the subscriber says how far it is, and how far the publisher may be ahead, so that no buffer overflows. */
export const HEARD_STEP = 256
const AHEAD = 4096

/** A chat message, about 150 bytes of JSON. */
const TEXT = 'The quick brown fox jumps over the lazy dog while vermilion dries.'

export class Sender {
  #publish
  #sent = 0
  #heard = 0
  #waiting = []

  constructor(publish, { paced }) {
    this.#publish = publish
    this.paced = paced
  }

  /** Sends for `ms` milliseconds and resolves to how many. When paced, `inflight` is the number of messages a second. */
  async run({ inflight, ms }) {
    this.#sent = 0
    this.#heard = 0
    const end = clock() + ms
    // What is lost is never heard: it is no longer waited for at the end.
    setTimeout(() => this.#wake(), ms)
    if (this.paced) await this.#everySlot(1000 / inflight, end)
    else await Promise.all(Array.from({ length: inflight }, () => this.#loop(end)))
    return this.#sent
  }

  heard(count) {
    this.#heard = count
    this.#wake()
  }

  #wake() {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  async #loop(end) {
    while (clock() < end) {
      if (this.#sent - this.#heard < AHEAD) await this.#send()
      else await new Promise((resolve) => this.#waiting.push(resolve))
    }
  }

  /** Never waits for a reply: a slow one delays no other message. */
  #everySlot(slotMs, end) {
    const sends = []
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        if (clock() < end) return sends.push(this.#send())
        clearInterval(timer)
        resolve(Promise.all(sends))
      }, slotMs)
    })
  }

  #send() {
    this.#sent += 1
    return this.#publish({ at: clock(), id: this.#sent, room: 'lobby', from: 'user:42', text: TEXT })
  }
}
