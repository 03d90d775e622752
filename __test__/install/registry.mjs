// A registry on loopback that has the packed packages, and passes requests for all others on to the registry that npm is configured for.

import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { pack } from '../../scripts/pack.mjs'
import { background, end, freePort, ready, temporaryFolder } from '../support/processes.mjs'

const verdaccio = fileURLToPath(new URL('node_modules/verdaccio/bin/verdaccio', import.meta.url))

/** Packs, and publishes to a new registry. Returns `{ url, packed, stop }`. */
export async function startRegistry() {
  const folder = temporaryFolder('registry')
  const packed = await pack({ out: join(folder, 'packed') })
  const others = (await npm(['config', 'get', 'registry'])).trim()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const config = join(folder, 'config.yaml')
  writeFileSync(config, settings(join(folder, 'storage'), others))
  const log = join(folder, 'log')
  const child = background(process.execPath, [verdaccio, '--config', config, '--listen', `127.0.0.1:${port}`], { log })
  await ready(child, 'the registry', () =>
    fetch(`${url}-/ping`).then(
      ({ ok }) => ok,
      () => false,
    ),
  )
  // npm wants a token to publish, whatever it is.
  for (const { file } of packed) {
    const token = [`--//127.0.0.1:${port}/:_authToken=none`, '--registry', url]
    await npm(['publish', ...token, '--tag', 'latest', file]).catch((error) => {
      throw new Error(`${file} could not be published: ${error.message}\n${child.log()}`)
    })
  }
  return { url, packed, stop: () => end(child) }
}

function settings(storage, others) {
  return JSON.stringify({
    storage,
    uplinks: { others: { url: others } },
    packages: { 'cinnabar*': { access: '$all', publish: '$all' }, '**': { access: '$all', proxy: 'others' } },
    web: { enable: false },
    log: { type: 'stdout', format: 'pretty', level: 'error' },
  })
}

async function npm(args) {
  const { stdout } = await promisify(execFile)('npm', args, { timeout: 300_000, maxBuffer: 64 << 20 })
  return stdout
}
