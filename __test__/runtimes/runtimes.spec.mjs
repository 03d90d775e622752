// The installed package in every runtime, as real processes, on both engines.

import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { join } from 'node:path'

import { root } from '../../scripts/run.mjs'
import { EXPORTS } from '../support/exports.mjs'
import { background, end, freePort, ready, temporaryFolder } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'
import { installPackage } from './installed.mjs'
import { runIn, runtimes } from './runtimes.mjs'

let app
let server

before(async () => {
  app = await installPackage()
  server = await startRedis()
})

const engines = [
  { name: 'memory', url: () => 'memory:' },
  { name: 'redis', url: () => server.url },
]

for (const runtime of runtimes) {
  describe(`${runtime.name}, in worker threads only`, () => {
    // The first of them ends before the second begins, and one works while all others come and go.
    const threads = runtime.command === process.execPath ? 200 : 60
    const runThreads = (script, args) =>
      runIn(runtime, join(app, script), { cwd: app, env: { REDIS_URL: server.url }, args, allow: runtime.threads })

    it(`${threads} threads come and go, whichever has loaded the addon first`, async () => {
      const args = [String(threads)]
      const { out } = await runThreads('strangers.mjs', args)
      assert.deepEqual(JSON.parse(out), { settled: threads, worked: true })
    })

    if (runtime.id !== 'node') {
      it('Web Workers come and go', async () => {
        const { out } = await runThreads('web-workers.mjs')
        assert.deepEqual(JSON.parse(out), { settled: 40 })
      })
    }
  })

  for (const engine of engines) {
    describe(`${runtime.name} on ${engine.name}`, () => {
      const run = async (script, allow) => {
        await server.command('FLUSHALL')
        return runIn(runtime, join(app, script), { cwd: app, env: { REDIS_URL: engine.url() }, allow })
      }

      it('every feature works, and the process ends by itself', async () => {
        const { out, err } = await run('exercise.mjs')
        assert.equal(err, 'cinnabar: rate limit refuses "203.0.113.7", so far once\n')
        assert.deepEqual(JSON.parse(out), expected)
      })

      it('require sees what import sees', async () => {
        const { names, same, value } = JSON.parse((await run('require.cjs')).out)
        assert.deepEqual(names, EXPORTS)
        assert.deepEqual([same, value], [true, 'CommonJS'])
      })

      it('a lone top-level await settles', async () => {
        assert.equal((await run('lone.mjs')).out, 'OK\n')
      })

      it('50 worker threads come and go and leave one pool', async () => {
        const { settled, counted, clients } = JSON.parse((await run('workers.mjs', runtime.threads)).out)
        assert.deepEqual([settled, counted], [50, '50'])
        // The pool's ten; nothing that a thread opened for itself.
        if (engine.name === 'redis') assert.ok(clients >= 1 && clients <= 10, `${clients} connections`)
      })
    })
  }
}

describe('Deno without the right to read the environment', () => {
  const deno = { ...runtimes.find(({ id }) => id === 'deno'), args: ['run', '--no-prompt', '--no-remote'] }
  const reported = async (script, allow) => {
    const env = { REDIS_URL: server.url }
    return JSON.parse((await runIn(deno, join(app, script), { cwd: app, env, allow })).out)
  }

  it('says what is not allowed, instead of keeping data in the process', async () => {
    const { code, message } = (await reported('unasked.mjs', ['--allow-ffi'])).byDefault
    assert.equal(code, 'E_INVALID_SETTINGS')
    const names = ['REDIS_URL', 'REDIS_PUBLIC_URL', 'REDIS_HOST']
    assert.ok(message.startsWith(`no permission to read ${names.join(', ')}, so the server is unknown. `), message)
    assert.ok(message.includes(`--allow-env=${names.join(',')}`), message)
  })

  it('works with a url in code', async () => {
    assert.equal((await reported('unasked.mjs', ['--allow-ffi'])).inCode, 'OK')
  })

  it('names the flag that the addon needs', async () => {
    await assert.rejects(reported('unasked.mjs', []), /addon cannot be loaded without permission: .*--allow-ffi/)
  })
})

describe('examples/deno', () => {
  let example, url

  before(async () => {
    const deno = runtimes.find((runtime) => runtime.id === 'deno')
    const port = await freePort()
    copyFileSync(join(root, 'examples/deno/main.ts'), join(app, 'main.ts'))
    const env = { ...process.env, REDIS_URL: 'memory:', PORT: String(port), DENO_NO_UPDATE_CHECK: '1' }
    const log = join(temporaryFolder('deno'), 'log')
    const flags = [...deno.example, '--check', 'main.ts']
    example = background(deno.command, flags, { cwd: app, env, log })
    await ready(example, 'examples/deno', () => example.log().includes(`:${port}`))
    url = `http://127.0.0.1:${port}`
  })
  after(() => end(example))

  it('responds, from its cache the second time, and refuses the sixth', async () => {
    const results = []
    for (let i = 0; i < 6; i++) {
      // A client cannot pose as another by a header.
      const response = await fetch(`${url}/report`, { headers: { 'x-forwarded-for': `10.0.0.${i}` } })
      results.push([response.status, (await response.json()).from])
    }
    const cached = [200, 'cache']
    assert.deepEqual(results, [[200, 'source'], cached, cached, cached, cached, [429, undefined]])
  })

  it('signs in, protects a route, and signs out', async () => {
    const send = (method, path, headers = {}) => fetch(url + path, { method, headers })
    const login = (password, headers) => {
      const body = new URLSearchParams({ name: 'ada', password })
      return fetch(`${url}/login`, { method: 'POST', redirect: 'manual', headers, body })
    }
    assert.equal((await send('GET', '/profile')).status, 401)
    assert.equal((await send('GET', '/nothing')).status, 404)
    assert.equal((await login('cinnabar', { 'sec-fetch-site': 'cross-site' })).status, 403)
    const signedIn = await login('cinnabar')
    assert.deepEqual([signedIn.status, signedIn.headers.get('x-ratelimit-limit')], [303, '5'])
    const header = signedIn.headers.get('set-cookie')
    assert.match(header, /^__Host-session=cst_\w+; HttpOnly; SameSite=Lax; Secure; Path=\/; Max-Age=28800$/)
    const cookie = header.split(';')[0]
    assert.equal((await (await send('GET', '/profile', { cookie })).json()).name, 'Ada')
    assert.equal((await send('POST', '/logout', { cookie, origin: 'https://evil.example' })).status, 403)
    const signedOut = await send('POST', '/logout', { cookie })
    assert.match(signedOut.headers.get('set-cookie'), /^__Host-session=;.*Max-Age=0/)
    assert.equal((await send('GET', '/profile', { cookie })).status, 401)
    for (let i = 0; i < 3; i++) assert.equal((await login(`guess ${i}`)).status, 401)
    const refused = await login('cinnabar')
    assert.deepEqual([refused.status, refused.headers.get('set-cookie')], [429, null])
  })
})

const validated = { id: 'user123', asked: 1, hash: 64 }

const expected = {
  idle: false,
  strings: ['OK', null, 'hé\u{1f600}', null, 1, true, 1],
  hashes: [1, 'value', { field: 'value' }, 1],
  client: [true, 3, ['a', 'b', 'c'], 2, ['a', 'b'], 2, ['less', 'two'], 1.5, ['list', 'x', 3], 3],
  multi: [
    [null, 1],
    [null, 5],
    [null, '5'],
  ],
  many: true,
  sessions: [true, { userId: 'user123', createdAt: true, role: 'admin', list: [] }, true, true, 1, true, true, 1, null],
  validated: Array(5).fill(validated),
  cache: [
    { name: 'Ada', tags: ['x', null] },
    null,
    [{ loads: 1 }, { loads: 1 }, { loads: 1 }],
    null,
    true,
    // What `setMany` returns, undefined, which JSON writes so.
    null,
    [1, 2, null],
    2,
  ],
  limits: [
    [
      [true, 2, true],
      [true, 1, true],
      [true, 0, true],
      [false, 0, true],
    ],
    1,
    true,
  ],
  locks: ['string', null, true, false, 'Could not acquire lock for resource: invoice:7', true, 'done'],
  rooms: ['red', 'string', 'hello', 'string', {}],
  presence: [
    [
      ['before', 0],
      ['after', 1],
    ],
    ['join ada', 'leave ada'],
    ['ada'],
    {},
  ],
  queue: [true, { to: 'ada', attempt: 1, aborted: false }, 'E_JOB_FAILED', 'done', 0.5, { unfinished: [] }],
  streamed: [
    ['one', 0],
    ['two', 0],
  ],
  messages: [1, { type: 'greeting', n: [1, 2] }, 'prism:events'],
  failure: [true, 'CinnabarError', 'E_WRONG_TYPE', false, 'string'],
  context: 'kept',
  instance: [null, '1'],
  closed: 'E_CLOSED',
  health: ['healthy', true, 'number'],
  route: [200, 'no-store', '{"status":"healthy"}'],
}
