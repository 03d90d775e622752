// `cinnabar queue` against real queues.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, beforeEach, describe, test } from 'node:test'

import { JobQueue, RedisService } from 'cinnabar'

import { root, until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { fakeServer } from '../support/fake-server.mjs'
import { freePort } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'
import { PASSWORD, fails, onTerminal, usage, usageJson } from './support.mjs'

const PERSONAL = 'ada@example.com'
const env = { REDIS_PASSWORD: PASSWORD }

let server, service, queue
before(async () => {
  server = await startRedis({ password: PASSWORD, args: ['--requirepass', PASSWORD] })
  service = new RedisService({ url: server.url })
  queue = new JobQueue('mails', { service })
  // Those that die here need no line on the console.
  queue.on('dead', () => {})
})
after(async () => {
  await queue.close()
  await service.disconnect()
  await server.stop()
})
beforeEach(() => server.command('FLUSHALL'))

/** Without the password, which comes from the environment. */
const at = () => ['--timeout', '60', '--url', `redis://127.0.0.1:${server.port}`]
const run = (...words) => usage(['queue', ...words, ...at()], { env })
const json = (...words) => usageJson(['queue', ...words, ...at()], { env })
const refused = (...words) => fails(['queue', ...words, ...at()], { env })

/** Adds jobs that die, with these ids, each in a later millisecond than the one before. */
async function dead(...ids) {
  const handler = (_job, { log }) => {
    log(`sends to ${PERSONAL}`)
    throw new TypeError(`refused\n\x1b[31m${'x'.repeat(300)}`)
  }
  const worker = queue.process(handler)
  for (const id of ids) {
    await queue.add('welcome', { to: PERSONAL }, { id, attempts: 1 })
    await until(`${id} is dead`, async () => (await queue.get(id)).state === 'dead', 60)
    const { finishedAt } = await queue.get(id)
    await until('a millisecond has passed', () => Date.now() > finishedAt)
  }
  await worker.close()
}

describe('jobs are shown', () => {
  test('as counts', async () => {
    await dead('a', 'b')
    await queue.add('welcome', {}, { delay: 3_600_000 })
    await queue.add('welcome', {})
    const { status, out, err } = await run('mails')
    assert.deepEqual([status, err], [0, ''])
    assert.equal(
      out,
      `queue mails at 127.0.0.1:${server.port}\n\nready    1\ndelayed  1\nactive   0\ndone     0\ndead     2\n`,
    )
    assert.deepEqual(await json('mails', 'counts'), {
      queue: 'mails',
      target: `127.0.0.1:${server.port}`,
      counts: { ready: 1, delayed: 1, active: 0, done: 0, dead: 2 },
      paused: false,
    })
    assert.equal((await json('mails', '--prefix', 'other:')).counts.ready, 0)
  })

  test('as a list of a state, without data', async () => {
    await dead('first', 'second')
    const { status, out } = await run('mails', 'list', '--state', 'dead')
    assert.equal(status, 0)
    const [head, ...lines] = out.trimEnd().split('\n')
    assert.match(head, /^id +name +state +attempts +age +reason$/)
    assert.equal(lines.length, 2)
    assert.match(lines[0], /^second +welcome +dead +1\/1 +\d+ (s|min) +TypeError: refused \?\[31mx+…$/)
    assert.ok(lines.every((line) => line.length < 200))
    assert.ok(!out.includes(PERSONAL) && !out.includes('\x1b'))
    const { total, jobs } = await json('mails', 'list', '--state', 'dead', '--limit', '1')
    assert.deepEqual([total, jobs.length, jobs[0].id, jobs[0].error.name], [2, 1, 'second', 'TypeError'])
    assert.ok(!('data' in jobs[0]) && !('stack' in jobs[0].error))
    assert.equal((await json('mails', 'list', '--data')).jobs[0].data.to, PERSONAL)
  })

  test('as a list of all states, page by page', async () => {
    await dead('dead')
    await queue.add('later', {}, { id: 'later', delay: 3_600_000 })
    await queue.addMany([1, 2, 3].map((n) => ({ name: 'soon', data: n, id: `soon-${n}` })))
    const ids = async (...words) => (await json('mails', 'list', ...words)).jobs.map(({ id }) => id)
    assert.deepEqual(await ids(), ['soon-1', 'soon-2', 'soon-3', 'later', 'dead'])
    assert.deepEqual(await ids('--offset', '2', '--limit', '2'), ['soon-3', 'later'])
    assert.deepEqual(await ids('--offset', '5'), [])
    const { out } = await run('mails', 'list', '--limit', '4')
    assert.match(out, /later +later +delayed +0\/3 +\d+ (s|min) +due in (59 min|1 h)\n/)
    assert.match(out, /\n4 of 5 jobs; the next ones by --offset 4\n$/)
    assert.equal((await run('mails', 'list', '--state', 'done')).out, 'no done jobs\n')
  })

  test('as one job, with data and log only if asked', async () => {
    await dead('a')
    const plain = await run('mails', 'show', 'a')
    assert.equal(plain.status, 0)
    assert.match(plain.out, /^id +a\nname +welcome\nstate +dead\n/)
    assert.match(plain.out, /--data\n$/)
    assert.ok(!plain.out.includes(PERSONAL))
    const all = await run('mails', 'show', 'a', '--data')
    assert.match(all.out, /\ndata\n {2}\{\n {4}"to": "ada@example\.com"\n {2}\}\n/)
    assert.match(all.out, /\nlog\n {2}sends to ada@example\.com\n$/)
    assert.ok(!all.out.includes('\x1b'))
    const { job, logs } = await json('mails', 'show', 'a', '--data')
    assert.deepEqual([job.data, logs], [{ to: PERSONAL }, [`sends to ${PERSONAL}`]])
    assert.ok(job.error.stack)
    assert.match(await refused('mails', 'show', 'b'), /no job with this id/)
  })

  test('to a reader that closes the pipe early', async () => {
    await queue.addMany(Array.from({ length: 1000 }, (_, n) => ({ name: 'n'.repeat(24), data: n })))
    const words = ['bin/cinnabar.js', 'queue', 'mails', 'list', '--limit', '1000', ...at()]
    const child = spawn(process.execPath, words, { cwd: root, env: { PATH: process.env.PATH, ...env } })
    let err = ''
    child.stderr.on('data', (bytes) => (err += bytes))
    child.stdout.once('data', () => child.stdout.destroy())
    const [status] = await once(child, 'close')
    assert.deepEqual([status, err], [0, ''])
  })
})

describe('jobs are changed', () => {
  test('by retry', async () => {
    await dead('a')
    assert.equal((await run('mails', 'retry', 'a')).out, '1 job starts again\n')
    assert.equal((await queue.get('a')).state, 'ready')
    assert.match(await refused('mails', 'retry', 'a'), /the job is ready; only dead/)
    assert.match(await refused('mails', 'retry', 'b'), /no job with this id/)
  })

  test('by redrive, all of them only if confirmed', async () => {
    await dead('a', 'b', 'c')
    assert.equal((await json('mails', 'redrive', '--limit', '1')).count, 1)
    const { status, err } = await run('mails', 'redrive')
    assert.equal(status, 2)
    assert.match(err, /--yes/)
    assert.equal((await queue.counts()).dead, 2)
    assert.equal((await run('mails', 'redrive', '--yes')).out, '2 dead jobs started again\n')
    assert.deepEqual([(await queue.counts()).dead, (await queue.counts()).ready], [0, 3])
    assert.equal((await json('mails', 'redrive', '--yes')).count, 0)
  })

  test('by remove and drain, only if confirmed', async () => {
    await queue.addMany([1, 2, 3].map((n) => ({ name: 'soon', data: n, id: `soon-${n}` })))
    await queue.add('later', {}, { delay: 3_600_000 })
    for (const words of [['remove', 'soon-1'], ['drain']]) assert.equal((await run('mails', ...words)).status, 2)
    assert.equal((await queue.counts()).ready, 3)
    assert.equal((await run('mails', 'remove', 'soon-1', '--yes')).out, '1 job removed\n')
    assert.match(await refused('mails', 'remove', 'soon-1', '--yes'), /no job with this id/)
    assert.equal((await json('mails', 'drain', '--yes')).count, 2)
    assert.equal((await queue.counts()).delayed, 1)
    assert.equal((await json('mails', 'drain', '--delayed', '--yes')).count, 1)
  })

  test('by pause and resume', async () => {
    assert.deepEqual([(await run('mails', 'pause')).status, (await queue.counts()).paused], [0, true])
    assert.match((await run('mails')).out, /\npaused: no worker takes a job until resume\n$/)
    assert.deepEqual([(await json('mails', 'resume')).paused, (await queue.counts()).paused], [false, false])
  })

  test('on a terminal once the name of the queue was typed', async () => {
    await dead('a', 'b')
    const begin = () => onTerminal(['queue', 'mails', 'redrive', ...at()], { env })
    const wrong = begin()
    await wrong.shows(/starts 2 dead jobs of the queue again mails at .*Type the name of the queue/s)
    wrong.write('mail\n')
    assert.equal(await wrong.ended, 1)
    assert.match(wrong.out(), /nothing was changed/)
    assert.equal((await queue.counts()).dead, 2)
    const right = begin()
    await right.shows(/Type the name/)
    right.write('mails\n')
    assert.equal(await right.ended, 0)
    assert.match(right.out(), /2 dead jobs started again/)
    assert.equal((await queue.counts()).ready, 2)
  })
})

test('a queue in a cluster', async () => {
  const cluster = await startCluster()
  const service = new RedisService({ url: cluster.url })
  await new JobQueue('mails', { service }).add('welcome', {}, { id: 'a' })
  const words = ['--timeout', '60', '--url', cluster.url]
  assert.equal((await usageJson(['queue', 'mails', ...words])).counts.ready, 1)
  assert.equal((await usageJson(['queue', 'mails', 'drain', '--yes', ...words])).count, 1)
  await service.disconnect()
  await cluster.close()
})

test('a server that cannot be used ends with 1 and says what to do', async (t) => {
  const nowhere = `redis://127.0.0.1:${await freePort()}`
  assert.match(await fails(['queue', 'mails', '--url', nowhere]), /nothing listens .*; start the server/)
  assert.match(
    await fails(['queue', 'mails', '--url', `redis://127.0.0.1:${server.port}`]),
    /password.*; set REDIS_PASSWORD/,
  )
  assert.match(await fails(['queue', 'mails']), /no server is configured.*; set REDIS_URL/)
  assert.match(await fails(['queue', 'mails', '--url', 'memory:']), /the memory of each process.*; set REDIS_URL/)
  const silent = await fakeServer(([name]) => (name === 'PING' ? '+PONG\r\n' : undefined))
  t.after(() => silent.close())
  assert.match(await fails(['queue', 'mails', '--url', silent.url, '--timeout', '2']), /--timeout/)
  const denying = await fakeServer(([name]) => (name === 'PING' ? undefined : `-NOPERM no permission to run it\r\n`))
  t.after(() => denying.close())
  assert.match(await fails(['queue', 'mails', '--url', denying.url, '--timeout', '60']), /docs\/access\.md/)
})

test('a wrong command line ends with 2, and repeats nothing', async () => {
  for (const words of [
    [],
    ['mails', 'frobnicate'],
    ['mails', 'show'],
    ['mails', 'show', 'a', 'b'],
    ['mails', 'counts', 'a'],
    ['mails', 'counts', '--state', 'dead'],
    ['mails', 'list', '--state', 'sad'],
    ['mails', 'list', '--limit', '0'],
    ['mails', 'list', '--limit', '1e3'],
    ['mails', `redis://:${PASSWORD}@host`],
    ['mails', '--prefix', '{x}', '--url', server.url],
  ]) {
    const { status, out, err } = await usage(['queue', ...words])
    assert.deepEqual([status, out], [2, ''], `${words}: ${out}${err}`)
    assert.match(err, /See cinnabar queue --help/)
  }
  assert.match((await usage(['queue', '--help'])).out, /redrive/)
})
