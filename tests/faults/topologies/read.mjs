// How a counter is read when a scenario is over: past the client under test.

import { keySlot } from '../../../__test__/support/slots.mjs'

/** From the node that has it. */
export const fromCluster = (cluster) => async (key) => (await cluster.nodeOf(keySlot(key))).command('GET', key)

/** From the server that the sentinels name. */
export const fromSentinels = (group) => async (key) => (await group.primary()).command('GET', key)
