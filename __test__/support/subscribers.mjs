// The connections of a server that listen to channels.

import assert from 'node:assert/strict'

import { until } from '../helpers.mjs'

const listOf = (server) => server.command('CLIENT', 'LIST', 'TYPE', 'pubsub')

/** Cuts the one connection that listens. Those of earlier tests may be closed a moment later than they were given up. */
export async function killSubscriber(server) {
  await until(
    'one connection listens',
    async () => (await listOf(server)).trim().split('\n').filter(Boolean).length === 1,
  )
  assert.equal(await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub'), 1)
}
