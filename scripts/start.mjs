// `npm start`: on a fresh clone installs and builds what is missing, then runs the example server.

import { fileURLToPath } from 'node:url'

import { main } from './run.mjs'
import { forRunning } from './setup.mjs'

await main(async () => {
  await forRunning()
  const server = new URL('../examples/server/main.mjs', import.meta.url)
  process.argv[1] = fileURLToPath(server)
  await import(server)
})
