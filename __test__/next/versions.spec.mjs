// The versions of Next.js, with both of their bundlers, as real builds: the health route, sessions, and modules that are edited.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { root } from '../../scripts/run.mjs'
import { editUnderNext } from '../runtimes/hot.mjs'
import { installPackage } from '../runtimes/installed.mjs'
import { background, end, freePort, ready, temporaryFolder } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'

const health = fileURLToPath(new URL('health/', import.meta.url))
const { PATH, HOME, TMPDIR } = process.env
const environment = { PATH, HOME, TMPDIR, NEXT_TELEMETRY_DISABLED: '1' }

const versions = [
  // The default bundler of each version comes first.
  {
    name: 'Next.js 15',
    major: 15,
    packages: fileURLToPath(new URL('.', import.meta.url)),
    bundlers: [[], ['--turbopack']],
  },
  { name: 'Next.js 16', major: 16, packages: join(root, 'examples/next'), bundlers: [[], ['--webpack']] },
]

let redis
before(async () => {
  redis = await startRedis()
  const installed = await installPackage()
  for (const { packages } of versions)
    cpSync(join(installed, 'node_modules'), join(packages, 'node_modules'), { recursive: true })
})

for (const { name, major, packages, bundlers } of versions) {
  const next = join(packages, 'node_modules/next/dist/bin/next')

  it(`${name} is installed`, () => {
    const { version } = JSON.parse(readFileSync(join(packages, 'node_modules/next/package.json'), 'utf8'))
    assert.equal(Number(version.split('.')[0]), major)
  })

  for (const bundler of bundlers) {
    describe([name, ...bundler].join(' '), () => {
      let app
      before(() => {
        app = mkdtempSync(join(packages, 'health-'))
        cpSync(health, app, { recursive: true })
      })
      after(() => rmSync(app, { recursive: true, force: true }))

      it('builds a health route and sessions, without a server, and both respond', async () => {
        const trap = await listen()
        await build({ app, next, bundler, REDIS_URL: `redis://127.0.0.1:${trap.port}` })
        trap.close()
        assert.equal(trap.connections, 0, 'the build connected')
        await asked({ app, next })
      })

      it('has one worker and one subscription in development, whatever was edited how often', () =>
        editUnderNext({ redis, packages, bundler }))
    })
  }
}

async function build({ app, next, bundler, REDIS_URL }) {
  const options = { cwd: app, env: { ...environment, REDIS_URL }, timeout: 300_000, maxBuffer: 64 << 20 }
  await promisify(execFile)(process.execPath, [next, 'build', ...bundler], options).catch((error) => {
    throw new Error(`next build ${bundler} failed\n${error.stdout}\n${error.stderr}`)
  })
}

async function asked({ app, next }) {
  const port = await freePort()
  const env = { ...environment, NODE_ENV: 'production', REDIS_URL: redis.url }
  const args = [next, 'start', '--hostname', '127.0.0.1', '--port', String(port)]
  const server = background(process.execPath, args, { cwd: app, env, log: join(temporaryFolder('next'), 'log') })
  const ask = (path, method = 'GET') => fetch(`http://127.0.0.1:${port}/api/${path}`, { method })
  try {
    await ready(server, 'next start', async () => (await ask('health')).ok)
    const report = await (await ask('health')).json()
    assert.deepEqual([report.status, report.redis.engine], ['healthy', 'redis'])
    assert.deepEqual(await (await ask('status')).json(), { status: 'healthy' })
    assert.deepEqual([(await ask('health', 'HEAD')).status, (await ask('status', 'HEAD')).status], [200, 200])
    assert.deepEqual([(await ask('health', 'POST')).status, (await ask('status', 'POST')).status], [405, 405])
    await signsInAndOut(`http://127.0.0.1:${port}`)
    await redis.kill()
    const down = await ask('status')
    assert.deepEqual([down.status, await down.json()], [503, { status: 'down' }])
    assert.equal(down.headers.get('cache-control'), 'no-store')
  } finally {
    await redis.start()
    await end(server)
  }
}

/** A route handler signs in, a page shows who it is, and an action of that page signs out. */
async function signsInAndOut(url) {
  const send = (path, cookie, options) => fetch(url + path, { redirect: 'manual', ...options, headers: { cookie } })
  assert.equal((await send('/api/session/ada', '')).status, 401)
  const signedIn = await send('/api/session/ada?role=admin', '', { method: 'POST' })
  assert.equal(signedIn.status, 303)
  const [cookie] = signedIn.headers.getSetCookie()[0].split(';')
  assert.equal(await (await send('/api/session/ada', cookie)).json(), 'admin')
  const page = await (await send('/session', cookie)).text()
  const shown = /<output>(.*)<\/output>/.exec(page)[1].replaceAll('&quot;', '"')
  assert.deepEqual(JSON.parse(shown), { userId: 'ada', role: 'admin', isFresh: true })
  const body = new FormData()
  body.set(/name="(\$ACTION_ID_\w+)"/.exec(page)[1], '')
  const signedOut = await send('/session', cookie, { method: 'POST', body })
  assert.equal(signedOut.status, 303)
  assert.match(signedOut.headers.getSetCookie().join(), /^__Host-session=; [^,]*Max-Age=0/)
  assert.equal((await send('/api/session/ada', cookie)).status, 401)
}

/** A server that closes every connection and counts them. */
async function listen() {
  const trap = { connections: 0, close: () => server.close() }
  const server = createServer((socket) => {
    trap.connections++
    socket.destroy()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(trap, { port: server.address().port })
}
