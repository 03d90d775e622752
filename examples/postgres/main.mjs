// A lock guards a row of PostgreSQL, also against a holder that does not know yet that it has lost the lock.
//
//   npm install cinnabar pg
//   REDIS_URL=redis://localhost:6379 DATABASE_URL=postgres://user:password@localhost/db node main.mjs

import { DistributedLock, redisService } from 'cinnabar'
import pg from 'pg'

import { TABLE, setTotal } from './invoices.mjs'

const db = new pg.Client({ connectionString: process.env.DATABASE_URL })
await db.connect()
await db.query(TABLE)
await db.query('INSERT INTO invoices (id) VALUES (7) ON CONFLICT DO NOTHING')

// A holder that stops renewing its lock, as a suspended process does. Its lock lasts for a second.
const suspended = await DistributedLock.acquire('invoice:7', { ttlSeconds: 1, maxHoldSeconds: 1 })
await setTotal(db, suspended, 7, 100)
console.log('the first holder has written')

await DistributedLock.withLock('invoice:7', (token, lock) => setTotal(db, lock, 7, 200), 30, { wait: {} })
console.log('the second holder has written')

await setTotal(db, suspended, 7, 300).catch((error) => console.log('the first holder again:', error.message))

const { rows } = await db.query('SELECT total FROM invoices WHERE id = 7')
console.log('total', rows[0].total)
await db.end()
await redisService.disconnect()
