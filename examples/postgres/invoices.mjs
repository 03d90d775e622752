/** Invoices in PostgreSQL, each with the highest fencing token that has written it. */
export const TABLE = `
  CREATE TABLE IF NOT EXISTS invoices (
    id integer PRIMARY KEY,
    total integer NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0
  )`

/**
 * Sets the total of an invoice under its lock. Throws if a later holder of the lock has written it already: this process was suspended, or cut
 * off from Redis, for longer than its lock lasted.
 */
export async function setTotal(db, lock, id, total) {
  const { rowCount } = await db.query('UPDATE invoices SET total = $1, fence = $2 WHERE id = $3 AND fence <= $2', [
    total,
    lock.fence,
    id,
  ])
  if (rowCount === 0) throw new Error(`invoice ${id} does not exist, or was written under a later lock`)
}
