// Modules that are edited while their process goes on, in `next dev` and `bun --hot`: what the version before began is replaced.

import { cpSync, readdirSync } from 'node:fs'
import { before, describe, it } from 'node:test'
import { join } from 'node:path'

import { root } from '../../scripts/run.mjs'
import { npmPackages } from '../../scripts/setup.mjs'
import { startRedis } from '../support/redis.mjs'
import { editUnderBun, editUnderNext } from './hot.mjs'
import { installPackage } from './installed.mjs'
import { runtimes } from './runtimes.mjs'

const packages = join(root, 'examples/next')

let redis
before(async () => (redis = await startRedis()))

describe('next dev', () => {
  before(async () => {
    await npmPackages(packages)
    // The package as it is now, not as it was when the example was installed.
    const addons = readdirSync(root).filter((name) => name.endsWith('.node'))
    for (const name of ['lib', 'index.js', 'index.d.ts', 'types', ...addons])
      cpSync(join(root, name), join(packages, 'node_modules/cinnabar', name), { recursive: true })
  })

  for (const bundler of ['--turbopack', '--webpack']) {
    it(`${bundler} has one worker and one subscription, whatever was edited how often`, () =>
      editUnderNext({ redis, packages, bundler: [bundler] }))
  }
})

describe('bun --hot', () => {
  it('has one worker and one subscription, whatever was edited how often', async () => {
    const { command } = runtimes.find(({ id }) => id === 'bun')
    await editUnderBun({ redis, app: await installPackage(), command })
  })
})
