// `npm run limits`: every algorithm of rate limits, concurrency included, beside its exact simulation, on both engines.  npm run limits -- --steps 1000000

import { parseArgs } from 'node:util'

import { main, run } from './run.mjs'
import { forTesting } from './setup.mjs'

await main(async () => {
  const { values } = parseArgs({ options: { steps: { type: 'string', default: '1000000' } } })
  await forTesting()
  const env = { LIMIT_STEPS: values.steps }
  await run(
    'cargo',
    [
      'test',
      '--locked',
      '--release',
      '--package',
      'cinnabar-core',
      '--test',
      'features',
      '--',
      'limit_model',
      'slot_model',
    ],
    { env },
  )
})
