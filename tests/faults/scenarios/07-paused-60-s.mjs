// The server hangs for 60 s with its connections open, then goes on: what it answers late reaches nobody else.

import { paused } from './paused.mjs'

export default paused({ seconds: 60, short: false })
