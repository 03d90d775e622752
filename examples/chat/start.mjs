// `npm start`: on a fresh clone installs and builds what is missing, then runs the chat.
import { fileURLToPath } from 'node:url'
import { main } from '../../scripts/run.mjs'
import { forRunning, npmPackages } from '../../scripts/setup.mjs'

await main(async () => {
  await forRunning()
  await npmPackages(fileURLToPath(new URL('.', import.meta.url)))
  await import('./main.mjs')
})
