// Rooms on a service of their own, closed with the test.

import { RealtimeDataManager } from 'cinnabar'

import { rawClient } from '../helpers.mjs'

/** A test's body that gets rooms, a raw client and their service. */
export const withRoomsOn = (engine) => (run, options) => async () => {
  const service = await engine.makeService()
  try {
    await run(new RealtimeDataManager(service, options), await rawClient(service), service)
  } finally {
    await service.disconnect()
  }
}
