// An app of Next.js with the cache handlers: built, started as several instances, behind a proxy that takes them in turn.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { background, end, freePort, ready, temporaryFolder } from '../../support/processes.mjs'

const { PATH, HOME, TMPDIR } = process.env
const environment = { PATH, HOME, TMPDIR, NEXT_TELEMETRY_DISABLED: '1' }

/** The default `timeoutMs` of the handlers. */
export const TIMEOUT_MS = 500
/** What rendering a page takes on a busy machine. */
export const RENDER_MS = 400

/** A copy of one of the apps beside its packages, with `remove()`. */
export function copyApp(name, packages) {
  const folder = mkdtempSync(join(packages, 'cache-'))
  cpSync(fileURLToPath(new URL(name, import.meta.url)), folder, { recursive: true })
  const next = join(packages, 'node_modules/next/dist/bin/next')
  const [proxy, middleware] = ['proxy.js', 'middleware.js'].map((file) => join(folder, file))
  if (versionOf(packages) < 16 && existsSync(proxy)) renameSync(proxy, middleware)
  return { folder, next, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** The major version of Next.js among these packages. */
export function versionOf(packages) {
  const { version } = JSON.parse(readFileSync(join(packages, 'node_modules/next/package.json'), 'utf8'))
  return Number(version.split('.')[0])
}

/** Builds it under an id; returns what was printed. */
export async function build({ folder, next }, id, env) {
  const own = { ...environment, BUILD: id, NEXT_PUBLIC_BUILD: id, INSTANCE: 'build', ...env }
  const options = { cwd: folder, env: own, timeout: 300_000, maxBuffer: 64 << 20 }
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [next, 'build'], options).catch((error) => {
    throw new Error(`next build failed\n${error.stdout}\n${error.stderr}`)
  })
  return stdout + stderr
}

/** Starts instances of these names, and a proxy before them. `program` is the server's, unless it is `next start`. */
export async function start({ folder, next }, names, env, program) {
  const instances = []
  for (const name of names) {
    const port = await freePort()
    const own = {
      ...environment,
      NODE_ENV: 'production',
      INSTANCE: name,
      PORT: String(port),
      HOSTNAME: '127.0.0.1',
      ...env,
    }
    const log = join(temporaryFolder('next'), 'log')
    const args = program ? [program] : [next, 'start', '--hostname', '127.0.0.1', '--port', String(port)]
    const child = background(process.execPath, args, { cwd: folder, env: own, log })
    const url = `http://127.0.0.1:${port}`
    instances.push({ url, child, log: () => child.log() })
    await ready(child, 'next start', async () => (await fetch(`${url}/api/ready`)).ok)
  }
  const proxy = await startProxy(instances.map(({ url }) => url))
  const stop = async () => {
    proxy.close()
    await Promise.all(instances.map(({ child }) => end(child)))
  }
  return { instances, url: proxy.url, stop }
}

async function startProxy(urls) {
  let turn = 0
  const server = createServer((incoming, outgoing) => {
    const { method, headers, url } = incoming
    const forwarded = request(urls[turn++ % urls.length] + url, { method, headers }, (response) => {
      outgoing.writeHead(response.statusCode, response.headers)
      response.pipe(outgoing)
    })
    forwarded.on('error', () => outgoing.destroy())
    incoming.pipe(forwarded)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
}

/** What pages fetch: how often each path was asked for. */
export async function startUpstream() {
  const counts = new Map()
  const server = createServer(({ url }, response) => {
    counts.set(url, (counts.get(url) ?? 0) + 1)
    response.end(JSON.stringify({ count: counts.get(url) }))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${server.address().port}`, counts, close: () => server.close() }
}

/** Asks for a page: `{ status, headers, bytes, value, ms }`, where `value` is what its `<output>` shows. */
export async function ask(url, options) {
  const started = performance.now()
  const response = await fetch(url, { redirect: 'manual', ...options })
  const bytes = Buffer.from(await response.arrayBuffer())
  const [, text] = /<output>(.*?)<\/output>/s.exec(bytes.toString()) ?? []
  const value = text === undefined ? undefined : JSON.parse(text.replaceAll('&quot;', '"').replaceAll('<!-- -->', ''))
  return { status: response.status, headers: response.headers, bytes, value, ms: performance.now() - started }
}

/** What a page shows. */
export async function show(url, options) {
  const { status, value } = await ask(url, options)
  assert.equal(status, 200, url)
  return value
}

/** Has an instance invalidate a tag or a path. */
export async function invalidate({ url }, body) {
  return fetch(`${url}/api/invalidate`, { method: 'POST', body: JSON.stringify(body) })
}

/** Submits the form of `/action` with this tag, as a browser without scripts does. */
export async function act({ url }, tag) {
  const { bytes } = await ask(`${url}/action`)
  const body = new FormData()
  for (const [, name, value = ''] of bytes
    .toString()
    .matchAll(/<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?/g)) {
    body.set(name, value.replaceAll('&quot;', '"'))
  }
  body.set('tag', tag)
  return fetch(`${url}/action`, { method: 'POST', body, headers: { origin: url } })
}

/** The cookies of draft mode. */
export async function draftCookie({ url }) {
  const response = await fetch(`${url}/api/draft`)
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ')
}
