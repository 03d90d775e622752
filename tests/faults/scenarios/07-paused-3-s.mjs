// The server hangs for 3 s with its connections open, then goes on: its late replies reach no other caller.

import { paused } from './paused.mjs'

export default paused({ seconds: 3, short: true })
