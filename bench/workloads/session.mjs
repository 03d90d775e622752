/** One visit: a session is created, read and updated. One operation is all three. */
const data = {
  role: 'admin',
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  locale: 'en-GB',
  permissions: ['read', 'write', 'publish'],
  cart: [
    { sku: 'SKU-1', quantity: 2 },
    { sku: 'SKU-2', quantity: 1 },
  ],
}

export const session = {
  name: 'session',
  title: 'Session create + get + update',
  baseline: 'ioredis',
  contenders: ['cinnabar', 'ioredis', 'ioredis-auto'],
  /** Sessions pile up, so each run starts on an empty server. */
  flushEachRun: true,
  async prepare(client) {
    const id = await client.createSession('probe', data)
    if (!(await client.updateSession(id, { page: 1 }))) throw new Error('the update was refused')
    const session = await client.getSession(id)
    if (session?.page !== 1 || session.name !== data.name) throw new Error('the update was lost')
    return async (i) => {
      const id = await client.createSession(`user${i % 10_000}`, data)
      await client.getSession(id)
      await client.updateSession(id, { page: i, lastSeen: 1_700_000_000_000 + i })
    }
  },
}
