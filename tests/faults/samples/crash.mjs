// A scenario whose process crashes.

import { scenario } from '../scenario.mjs'

export default scenario({ number: 0, name: 'crash', engine: 'none' }, async () => {
  process.kill(process.pid, 'SIGSEGV')
  await new Promise(() => {})
})
