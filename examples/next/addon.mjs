// After `npm install` in this repository: puts the addon that was built here beside the copy of the package.
// An app of your own needs nothing of this: npm installs the platform's package with the addon in it.
import { copyFileSync, existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const installed = fileURLToPath(new URL('node_modules/cinnabar/', import.meta.url))
const addons = existsSync(`${repository}binding.d.ts`)
  ? readdirSync(repository).filter((name) => /^cinnabar\..+\.node$/.test(name))
  : []

if (addons.length === 0) {
  console.error('The addon is not built yet. Run `npm start` or `npm run build` in the repository, then this again.')
  process.exit(1)
}
for (const name of addons) copyFileSync(repository + name, installed + name)
