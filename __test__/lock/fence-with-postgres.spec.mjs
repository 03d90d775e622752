// The fencing token of a lock guards a row of a real PostgreSQL: a holder that was suspended, and does not know yet that another has the
// lock, cannot write.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'

import pg from 'pg'

import { root, runNode, until } from '../helpers.mjs'
import { engines, startPostgres } from '../support/engines.mjs'

const [, redis] = engines

// As in the README and in examples/postgres.
const WRITE = 'UPDATE invoices SET total = $1, fence = $2 WHERE id = 7 AND fence <= $2'

/** A process that acquires the lock, and writes although it has been suspended since. */
const CARELESS = `
  import { once } from 'node:events'
import { join } from 'node:path'
  import pg from 'pg'
  import { redisService, DistributedLock } from 'cinnabar'
  const db = new pg.Client(JSON.parse(process.env.POSTGRES))
  await db.connect()
  const lock = await DistributedLock.acquire('invoice:7', { ttlSeconds: 1 })
  const first = await db.query(process.env.WRITE, [1, lock.fence])
  console.log(first.rowCount)
  // The lock may be another's by now. It does not look.
  await once(process.stdin, 'data')
  const second = await db.query(process.env.WRITE, [2, lock.fence])
  console.log(second.rowCount)
  await lock.release()
  await db.end()
  await redisService.disconnect()
  process.stdin.destroy()`

test('a holder that was suspended does not write over the next one', async () => {
  const postgres = await startPostgres()
  const db = new pg.Client(postgres.config)
  await db.connect()
  await db.query('CREATE TABLE invoices (id int PRIMARY KEY, total int, fence bigint NOT NULL DEFAULT 0)')
  await db.query('INSERT INTO invoices VALUES (7, 0)')
  const service = await redis.makeService()

  const env = { ...process.env, REDIS_URL: redis.server.url, POSTGRES: JSON.stringify(postgres.config), WRITE }
  const careless = spawn(process.execPath, ['--input-type=module', '-e', CARELESS], {
    cwd: root,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let text = ''
  careless.stdout.setEncoding('utf8').on('data', (data) => (text += data))
  const closed = once(careless, 'close')
  await until('it has written', () => text === '1\n')
  careless.kill('SIGSTOP')
  const lock = await service.locks.acquire('invoice:7', { wait: {} })
  assert.equal((await db.query(WRITE, [10, lock.fence])).rowCount, 1)
  careless.kill('SIGCONT')
  careless.stdin.end('write\n')
  await closed
  assert.equal(text, '1\n0\n', 'its second write was refused')
  assert.equal((await db.query('SELECT total FROM invoices')).rows[0].total, 10)
  assert.equal((await db.query(WRITE, [11, lock.fence])).rowCount, 1, 'a holder may write several times')
  assert.equal(await lock.release(), 'released')

  await service.disconnect()
  await db.end()
  await postgres.stop()
})

test('the example shows that', async () => {
  const postgres = await startPostgres()
  const service = await redis.makeService()
  const env = { REDIS_URL: redis.server.url, DATABASE_URL: postgres.url }
  const { status, out, err } = await runNode([join(root, 'examples/postgres/main.mjs')], { env })
  assert.equal(status, 0, err)
  assert.deepEqual(out.trim().split('\n'), [
    'the first holder has written',
    'the second holder has written',
    'the first holder again: invoice 7 does not exist, or was written under a later lock',
    'total 200',
  ])
  await service.disconnect()
  await postgres.stop()
})
