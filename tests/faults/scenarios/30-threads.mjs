// Worker threads come, use the library and go, some of them in the middle of 500 calls: the others do not notice.

import { spec } from '../specs.mjs'

export default spec({
  number: 30,
  name: 'threads come and go',
  file: '__test__/process/lifecycle.spec.mjs',
  tests: ['50 worker threads load, use and end it', 'a worker that is terminated in the middle of calls'],
})
