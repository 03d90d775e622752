// The application of examples/hono: compiled under `strict`, and asked over HTTP.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, it } from 'node:test'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { root } from '../../scripts/run.mjs'
import { linesOf } from '../support/lines.mjs'
import { background, end, freePort, ready, temporaryFolder } from '../support/processes.mjs'
import { runtimes } from './runtimes.mjs'

const main = join(root, 'examples/hono/main.mts')
let server, url

before(async () => {
  const port = await freePort()
  const { PATH, HOME } = process.env
  const log = join(temporaryFolder('hono'), 'log')
  const { command } = runtimes.find(({ name }) => name === 'Node.js 24')
  server = background(command, [main], { env: { PATH, HOME, PORT: String(port) }, log })
  await ready(server, 'examples/hono', () => server.log().includes(`:${port}`))
  url = `http://127.0.0.1:${port}`
})
after(() => end(server))

const send = (method, path, cookie = '', { body, ...headers } = {}) =>
  fetch(url + path, {
    method,
    redirect: 'manual',
    headers: { cookie, ...headers },
    body: body && new URLSearchParams(body),
  })
const login = (password, headers) => send('POST', '/login', '', { body: { name: 'ada', password }, ...headers })
const cookieOf = (response) => response.headers.get('set-cookie').split(';')[0]

it('is forty lines of code that compile under strict', async () => {
  const lines = linesOf(main).length
  assert.ok(lines <= 40, String(lines))
  const args = [join(root, 'node_modules/typescript/bin/tsc'), '--project', join(root, 'examples/hono')]
  await promisify(execFile)(process.execPath, args).catch(({ stdout }) => assert.fail(stdout))
})

it('protects a route by a session, and ends sessions here and everywhere', async () => {
  assert.equal((await send('GET', '/profile')).status, 401)
  const first = await login('cinnabar')
  assert.deepEqual([first.status, first.headers.get('location')], [303, '/profile'])
  assert.match(
    first.headers.get('set-cookie'),
    /^__Host-session=cst_\w+; HttpOnly; SameSite=Lax; Secure; Path=\/; Max-Age=28800$/,
  )
  const [one, other] = [cookieOf(first), cookieOf(await login('cinnabar'))]
  assert.equal((await (await send('GET', '/profile', one)).json()).name, 'ada')
  const devices = await (await send('GET', '/devices', one)).json()
  assert.deepEqual(devices.map(({ current }) => current).sort(), [false, true])

  const forged = await send('POST', '/logout', one, { 'sec-fetch-site': 'cross-site' })
  assert.equal(forged.status, 403)
  const third = cookieOf(await login('cinnabar'))
  assert.match((await send('POST', '/logout', third)).headers.get('set-cookie'), /^__Host-session=;.*Max-Age=0/)
  const statuses = async () =>
    Promise.all([one, other, third].map(async (cookie) => (await send('GET', '/profile', cookie)).status))
  assert.deepEqual(await statuses(), [200, 200, 401])
  assert.equal((await send('POST', '/logout-everywhere', other)).status, 303)
  assert.deepEqual(await statuses(), [401, 401, 401])
})

it('refuses the sixth attempt to sign in, whatever address a client claims to have', async () => {
  // Three are used up.
  assert.equal((await login('guess')).status, 401)
  assert.equal((await login('another guess', { 'x-forwarded-for': '203.0.113.7' })).status, 401)
  const refused = await login('cinnabar', { 'x-forwarded-for': '203.0.113.8' })
  assert.equal(refused.status, 429)
  assert.ok(Number(refused.headers.get('retry-after')) >= 1)
  assert.equal(refused.headers.get('set-cookie'), null)
})
