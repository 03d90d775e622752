// Prepares a fresh clone: npm packages, the addon and, for the tests, the servers and the browser they start.
// Does only what is missing, so running it again costs nothing.
//
//   node scripts/setup.mjs          npm packages and the addon
//   node scripts/setup.mjs tests    the same, and everything the tests start

import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { main, root, run } from './run.mjs'
import { systemPackages } from './system.mjs'

/** Installs a folder's npm packages unless they are installed already, at the versions of its lock file. */
export async function npmPackages(folder = root) {
  const installed = packages(join(folder, 'node_modules/.package-lock.json'))
  const wanted = packages(join(folder, 'package-lock.json'))
  const same = (path) => installed[path]?.version === wanted[path]?.version
  // Optional packages are for other platforms.
  const complete = Object.keys(wanted).every((path) => same(path) || (wanted[path].optional && !installed[path]))
  if (complete && Object.keys(installed).length && Object.keys(installed).every(same)) return
  await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder })
}

/** Builds the release addon unless it is newer than all of its sources. */
export async function addon() {
  const sources = ['src', 'crates', 'Cargo.toml', 'Cargo.lock', 'build.rs'].flatMap((name) => files(join(root, name)))
  const newest = Math.max(...sources.map(modified))
  if (Math.min(builtAt(), modified(join(root, 'binding.d.ts'))) >= newest) return
  await requireRust()
  console.log('Building the addon; the first time takes a few minutes.')
  await run('npm', ['run', 'build'])
}

/** What `npm start` needs. */
export async function forRunning() {
  requireNode()
  await npmPackages()
  await addon()
}

/** What `npm test` needs. */
export async function forTesting() {
  requireNode()
  await requireRust()
  await systemPackages()
  await npmPackages()
  await npmPackages(join(root, '__test__/runtimes'))
  await npmPackages(join(root, 'examples/chat'))
  await addon()
}

function requireNode() {
  if (Number(process.versions.node.split('.')[0]) >= 20) return
  throw new Error(`cinnabar needs Node.js 20 or newer; this is ${process.versions.node}`)
}

async function requireRust() {
  await run('cargo', ['--version'], { quiet: true }).catch(() => {
    throw new Error('cargo not found: building the addon needs a Rust toolchain, see https://rustup.rs')
  })
}

/** The packages in a lock file, by folder, without the root. */
function packages(lock) {
  if (!existsSync(lock)) return {}
  const { '': _, ...others } = JSON.parse(readFileSync(lock, 'utf8')).packages
  return others
}

function files(path) {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { recursive: true }).map((name) => join(path, name))
}

function builtAt() {
  const built = readdirSync(root).filter((name) => /^cinnabar\..+\.node$/.test(name))
  return Math.max(0, ...built.map((name) => modified(join(root, name))))
}

function modified(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(process.argv[2] === 'tests' ? forTesting : forRunning)
}
