/** Milliseconds of the system's monotonic clock, which all processes of a machine share, unlike `performance.now()`. */
import { performance } from 'node:perf_hooks'

const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now()

export const clock = () => performance.now() + offset
