// An app whose files are edited while it runs: what the version before began is replaced.

import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { until } from '../helpers.mjs'
import { background, end, freePort, ready, temporaryFolder } from '../support/processes.mjs'

const hot = fileURLToPath(new URL('hot/', import.meta.url))
const EDITS = 3

/** `next dev`, in a folder of the one that has its packages. */
export async function editUnderNext({ redis, packages, bundler }) {
  const app = mkdtempSync(join(packages, 'hot-'))
  try {
    cpSync(hot, app, { recursive: true })
    const program = join(packages, 'node_modules/next/dist/bin/next')
    await editAndAsk({ redis, app, path: 'api/job', command: process.execPath, args: [program, 'dev', ...bundler] })
  } finally {
    rmSync(app, { recursive: true, force: true })
  }
}

/** `bun --hot`, in a folder that has the package. */
export async function editUnderBun({ redis, app, command }) {
  cpSync(hot, app, { recursive: true })
  await editAndAsk({ redis, app, path: '', command, args: ['--hot', 'main.ts'] })
}

/** Starts an app and edits all its files again and again. After each edit the new versions do everything, and alone. */
async function editAndAsk({ redis, app, path, command, args }) {
  await redis.command('FLUSHALL')
  const port = await freePort()
  const { PATH, HOME, TMPDIR } = process.env
  const env = { PATH, HOME, TMPDIR, NEXT_TELEMETRY_DISABLED: '1', REDIS_URL: redis.url, PORT: String(port) }
  const log = join(temporaryFolder('hot'), 'log')
  const child = background(command, args, { cwd: app, env, log })
  try {
    await ready(child, args.join(' '), () => /ready/i.test(child.log()))
    let rounds = 0
    const ask = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/${path}`)
      assert.equal(response.status, 200, child.log())
      rounds++
      return response.json()
    }
    await ask()
    const connections = await connectionsOf(redis)
    for (let version = 1; version <= EDITS; version++) {
      // Only the versions, and now and then what a module imports, which makes other chunks.
      edit(app, version, version === 2 ? "import 'node:os'\n" : '')
      await until(`version ${version} responds`, async () => (await ask()).includes(version), 30)
      // What is edited last is compiled last: from now on no other version does anything.
      await until(`version ${version} responds alone`, async () => (await ask()).every((each) => each === version), 30)
      for (let n = 0; n < 2; n++) {
        const versions = await ask()
        assert.deepEqual(new Set(versions), new Set([version]), `${versions}\n${child.log()}`)
      }
      // A subscription that has ended closes its connection behind it.
      await until(`there are ${connections} connections`, async () => (await connectionsOf(redis)) === connections)
    }
    await redis.command('PUBLISH', 'events', '"something"')
    await until('it is heard', async () => Number(await redis.command('GET', `heard by ${EDITS}`)) > 0)
    assert.deepEqual(await redis.command('KEYS', 'heard by *'), [`heard by ${EDITS}`])
    assert.equal(await redis.command('GET', `heard by ${EDITS}`), '1')
    assert.equal(await redis.command('GET', 'handled'), String(4 * rounds))
  } finally {
    await end(child)
  }
}

function edit(app, version, line) {
  for (const name of readdirSync(app, { recursive: true })) {
    if (!/\.ts$/.test(name) || /node_modules|\.next/.test(name)) continue
    const file = join(app, name)
    const text = readFileSync(file, 'utf8')
    if (!text.includes('const VERSION')) continue
    writeFileSync(file, line + text.replace(/VERSION = \d+/, `VERSION = ${version}`))
  }
}

/** How many connections of clients there are, besides those of this test, which send these commands only. */
async function connectionsOf(redis) {
  const list = await redis.command('CLIENT', 'LIST')
  return list.split('\n').filter((line) => line && !/ cmd=(client|flushall)/.test(line)).length
}
