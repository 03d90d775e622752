// The server hangs for 3 s with its connections open, then goes on: what it answers late reaches nobody else.

import { paused } from './paused.mjs'

export default paused({ seconds: 3, short: true })
