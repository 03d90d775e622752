/** CPU time from Linux's /proc, in µs and steps of 10 ms; null on other systems. */
import { readFileSync } from 'node:fs'

const TICK_MICROS = 10_000

/** Of this process's main thread alone: the cross-check of the event-loop utilisation, which also counts time preempted. */
export const mainThreadMicros = () => micros(`/proc/self/task/${process.pid}/stat`)

export const processMicros = (pid) => micros(`/proc/${pid}/stat`)

function micros(path) {
  try {
    const stat = readFileSync(path, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS
  } catch {
    return null
  }
}
