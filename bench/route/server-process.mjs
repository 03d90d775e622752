/** The process that is measured: Node's `http` with the route of one contender. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { startMeter } from '../suite/meter.mjs'
import { contenders } from './contenders.mjs'
import { serveTasks } from './process.mjs'

let meter

serveTasks({
  /** Resolves to the port. `POST /{user}` signs in; everything else is the protected route. */
  async open({ contender, address }) {
    const { signIn, handle } = await contenders[contender].open(address)
    const server = createServer({ keepAlive: true }, (request, response) =>
      request.method === 'POST' ? signIn(request, response, request.url.slice(1)) : handle(request, response),
    )
    // A connection may have to wait for its turn for minutes.
    Object.assign(server, { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server.address().port
  },
  start() {
    meter = startMeter()
  },
  stop: ({ calls }) => meter.stop({ calls }),
})
