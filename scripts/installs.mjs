// `npm run installs`: installs the tarballs as strangers do, from a registry on loopback and without Rust, by every package manager, with the
// frameworks and bundlers of the field.
//
//   node scripts/installs.mjs             everything
//   node scripts/installs.mjs managers    only the specs with this word in their path

import { join } from 'node:path'

import { main, root } from './run.mjs'
import { forTesting, npmPackages } from './setup.mjs'
import { runSpecs } from './specs.mjs'

await main(async () => {
  await forTesting()
  await npmPackages(join(root, '__test__/install'))
  await runSpecs(process.argv.slice(2), { folder: 'install' })
})
