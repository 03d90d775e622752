// Runs a program of bench/ on a release addon: `npm run bench` and `npm run soak`. Further arguments go to the program.

import { fileURLToPath } from 'node:url'

import { main } from './run.mjs'
import { forRunning } from './setup.mjs'
import { systemPackages } from './system.mjs'

await main(async () => {
  const [node, , name, ...options] = process.argv
  await systemPackages(['redis-server'])
  await forRunning()
  const program = new URL(`../bench/${name}.mjs`, import.meta.url)
  process.argv = [node, fileURLToPath(program), ...options]
  await import(program)
})
