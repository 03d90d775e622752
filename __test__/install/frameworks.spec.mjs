// Frameworks with the published package: what a first route of each needs, installed together by npm.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'

import { root } from '../helpers.mjs'
import { startRegistry } from './registry.mjs'
import { Stranger } from './stranger.mjs'

const { devDependencies: versions } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'))

const FRAMEWORKS = {
  Express: ['express.mjs', ['express']],
  Fastify: ['fastify.mjs', ['fastify']],
  Hono: ['hono.mjs', ['hono', '@hono/node-server']],
  Nest: [
    'nest.cjs',
    ['@nestjs/common', '@nestjs/core', '@nestjs/platform-express', '@nestjs/throttler', 'reflect-metadata', 'rxjs'],
  ],
}

let registry

before(async () => {
  registry = await startRegistry()
})
after(() => registry.stop())

describe('a route that refuses the third attempt', () => {
  for (const [name, [file, packages]] of Object.entries(FRAMEWORKS)) {
    test(`of ${name}`, async () => {
      const stranger = new Stranger(registry.url)
      await stranger.run('npm', ['install', 'cinnabar', ...packages.map((each) => `${each}@${versions[each]}`)])
      stranger.write(file, readFileSync(new URL(`apps/${file}`, import.meta.url)))
      const server = await stranger.start('node', [file])
      const url = `http://127.0.0.1:${server.printed}/login`
      const responses = []
      for (let attempt = 0; attempt < 3; attempt++) responses.push(await fetch(url, { method: 'POST' }))
      const [first, second, third] = responses
      assert.equal(await first.text(), 'welcome')
      assert.ok(second.ok)
      assert.equal(third.status, 429)
      assert.ok(third.headers.has('retry-after'))
      await server.stop()
    })
  }
})
