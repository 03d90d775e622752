// The Next.js app of examples/next: built with no server around, started, and asked over HTTP, in both kinds of output.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync } from 'node:fs'
import { createServer } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { root } from '../../scripts/run.mjs'
import { background, end, freePort, ready, temporaryFolder } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'

const app = join(root, 'examples/next')
const next = join(app, 'node_modules/next/dist/bin/next')
const { PATH, HOME, TMPDIR } = process.env
const environment = { PATH, HOME, TMPDIR, NEXT_TELEMETRY_DISABLED: '1' }

let redis

before(async () => {
  redis = await startRedis()
  // Anew each time: what is installed there is a copy of the package, which an older run may have left.
  await command('npm', ['ci', '--no-audit', '--no-fund'], process.env)
})

for (const output of ['normal', 'standalone']) {
  describe(`next build, ${output} output`, () => {
    let start

    before(async () => {
      const { connections, port, close } = await trap()
      const env = { REDIS_URL: `redis://127.0.0.1:${port}`, ...(output === 'standalone' && { NEXT_OUTPUT: output }) }
      await command(process.execPath, [next, 'build'], env)
      close()
      assert.equal(connections(), 0, 'the build connected')
      start = output === 'standalone' ? standalone() : () => [next, 'start', '--hostname', '127.0.0.1']
    })

    for (const [engine, proxies] of [
      ['memory', 0],
      ['redis', 1],
    ]) {
      describe(`on ${engine}`, () => {
        let server
        let url

        before(async () => {
          await redis.command('FLUSHALL')
          const port = await freePort()
          const REDIS_URL = engine === 'redis' ? redis.url : 'memory:'
          const settings = { REDIS_URL, ...(proxies && { TRUSTED_PROXIES: String(proxies) }) }
          const env = { ...environment, NODE_ENV: 'production', HOSTNAME: '127.0.0.1', PORT: String(port), ...settings }
          const log = join(temporaryFolder('next'), 'log')
          server = background(process.execPath, start(), { cwd: app, env, log })
          url = `http://127.0.0.1:${port}`
          await ready(server, 'next', async () => (await fetch(url)).ok)
        })
        after(() => end(server))

        it('signs in, knows who asks, and signs out', async () => {
          const signedIn = await post('/api/session', { name: 'Ada' })
          assert.equal(signedIn.status, 200)
          const cookie = signedIn.headers.get('set-cookie').split(';')[0]
          const { session } = await json(ask('/api/session', { headers: { cookie } }))
          assert.equal(session.name, 'Ada')
          assert.equal(session.userId, 'ada')
          assert.deepEqual(await json(ask('/api/session', { method: 'DELETE', headers: { cookie } })), { destroyed: 1 })
          assert.deepEqual(await json(ask('/api/session', { headers: { cookie } })), { session: null })
        })

        it('caches until it is invalidated', async () => {
          const results = []
          for (const method of ['GET', 'GET', 'DELETE', 'GET']) {
            results.push((await json(ask('/api/cached', { method }))).result)
          }
          assert.deepEqual(results, ['miss', 'hit', undefined, 'miss'])
        })

        it('refuses the sixth request, whatever the client writes into X-Forwarded-For, and says when to come back', async () => {
          const replies = []
          for (let i = 0; i < 6; i++) {
            const forwarded = proxies ? `10.0.0.${i}, 203.0.113.7` : `10.0.0.${i}`
            replies.push(await ask('/api/limited', { headers: { 'x-forwarded-for': forwarded } }))
          }
          // Behind a proxy, its entry distinguishs clients.
          const other = await ask('/api/limited', { headers: { 'x-forwarded-for': '10.0.0.1, 203.0.113.8' } })
          assert.equal(other.status, proxies ? 200 : 429)
          assert.deepEqual(
            replies.map((reply) => reply.status),
            [200, 200, 200, 200, 200, 429],
          )
          assert.ok(Number(replies[5].headers.get('retry-after')) >= 1)
          assert.equal(replies[0].headers.get('x-ratelimit-remaining'), '4')
        })

        it('lets one of two hold the lock', async () => {
          const replies = await Promise.all([post('/api/lock'), post('/api/lock')])
          assert.deepEqual(replies.map((reply) => reply.status).sort(), [200, 409])
        })

        it('is healthy', async () => {
          assert.deepEqual(await json(ask('/api/health')), { status: 'healthy' })
          const { status, redis } = await json(ask('/api/health/redis'))
          assert.deepEqual([status, redis.engine], ['healthy', engine])
          assert.equal((await ask('/api/health', { method: 'HEAD' })).status, 200)
        })

        const ask = (path, options) => fetch(url + path, options)
        const post = (path, body = {}) => ask(path, { method: 'POST', body: JSON.stringify(body) })
      })
    }
  })
}

async function json(reply) {
  const { status, body } = await reply.then(async (response) => ({
    status: response.status,
    body: await response.text(),
  }))
  assert.equal(status, 200, body)
  return JSON.parse(body)
}

/** What the build wrote, moved to where none of the app's own packages can be found by accident. */
function standalone() {
  const moved = temporaryFolder('standalone')
  cpSync(join(app, '.next-standalone/standalone'), moved, { recursive: true })
  return () => [join(moved, 'server.js')]
}

/** A server that closes every connection and counts them. */
async function trap() {
  let count = 0
  const server = createServer((socket) => {
    count++
    socket.destroy()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { connections: () => count, port: server.address().port, close: () => server.close() }
}

async function command(program, args, env = {}) {
  const options = { cwd: app, env: { ...environment, ...env }, timeout: 300_000, maxBuffer: 64 << 20 }
  await promisify(execFile)(program, args, options).catch((error) => {
    throw new Error(`${args.join(' ')} failed\n${error.stdout}\n${error.stderr}`)
  })
}
