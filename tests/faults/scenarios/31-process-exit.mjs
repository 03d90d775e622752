// A process ends when it has nothing more to do, and at once on request, whatever is in flight.

import { spec } from '../specs.mjs'

export default spec({
  number: 31,
  name: 'process exit',
  file: '__test__/process/lifecycle.spec.mjs',
  tests: [
    'process.exit in the middle of calls ends at once',
    'a lone top-level await settles',
    'an idle script that made one call exits within 200 ms',
  ],
})
