// Fails when a committed generated file differs from what its source generates now: the types of the addon, from the
// `#[napi]` items in src/js, and the platform packages, from the version and the `napi` block in package.json.
// It writes them, so that they only have to be committed.

import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { writePlatforms } from './platforms.mjs'
import { main, root, run } from './run.mjs'

function contents() {
  const packages = readdirSync(join(root, 'npm')).flatMap((name) => [
    `npm/${name}/package.json`,
    `npm/${name}/README.md`,
  ])
  const paths = ['binding.d.ts', ...packages]
  return new Map(
    paths.map((path) => [path, existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '']),
  )
}

await main(async () => {
  const committed = contents()
  await writePlatforms()
  await run('npm', ['run', 'build'])
  const generated = contents()
  const stale = [...generated.keys()].filter((path) => generated.get(path) !== committed.get(path))
  if (stale.length) throw new Error(`stale, commit what is there now:\n  ${stale.join('\n  ')}`)
  console.log('Generated files are as their sources make them.')
})
