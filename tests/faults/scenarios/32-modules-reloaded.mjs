// The module is evaluated again and again, as by hot reload and test runners: the connections stay as few as they were.

import { spec } from '../specs.mjs'

export default spec({
  number: 32,
  name: 'modules reloaded',
  file: '__test__/process/lifecycle.spec.mjs',
  tests: ['100 re-evaluations of a module', 'services of equal settings share their connections'],
})
