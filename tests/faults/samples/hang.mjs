// A scenario that never comes back.

import { scenario } from '../scenario.mjs'

export default scenario({ number: 0, name: 'hang', engine: 'none', limitMs: 1500 }, () => {
  for (;;);
})
