// The server hangs for 60 s with its connections open, then goes on: its late replies reach no other caller.

import { paused } from './paused.mjs'

export default paused({ seconds: 60, short: false })
