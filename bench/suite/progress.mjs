/** One line that says how far the run is; on a terminal it stays in place. */
import { count } from './format.mjs'

export class Progress {
  #done = 0
  #started = Date.now()
  #last = 0

  constructor(total) {
    this.total = total
  }

  ran({ group, inflight, name, round, sample }) {
    this.#done += 1
    const tty = process.stdout.isTTY
    if (!tty && Date.now() - this.#last < 10_000) return
    this.#last = Date.now()
    const seconds = (Date.now() - this.#started) / 1000
    const left = Math.round((seconds / this.#done) * (this.total - this.#done))
    const line = `${String(Math.floor((100 * this.#done) / this.total)).padStart(3)} %  ${group.title}, ${inflight} ${group.unit}, round ${round}/${group.rounds}: ${name} ${count(sample.opsPerSecond)}/s, ${left} s to go`
    process.stdout.write(tty ? `\r\x1b[2K${line.slice(0, (process.stdout.columns ?? 120) - 1)}` : `${line}\n`)
  }

  clear() {
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[2K')
  }
}
