// `npm run next`: real builds with each supported version of Next.js and both of its bundlers; `npm test` runs one of them.
//
//   node scripts/next.mjs          everything
//   node scripts/next.mjs cache    only the specs with this word in their path

import { join } from 'node:path'

import { main, root } from './run.mjs'
import { forTesting, npmPackages } from './setup.mjs'
import { runSpecs } from './specs.mjs'

await main(async () => {
  await forTesting()
  for (const folder of ['__test__/next', 'examples/next']) await npmPackages(join(root, folder))
  await runSpecs(process.argv.slice(2), { folder: 'next' })
})
