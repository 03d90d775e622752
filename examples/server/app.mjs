// The HTTP server: finds the route of a request, and turns exceptions into error responses.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { describe, HttpError, send } from './http.mjs'
import { openJobs } from './jobs.mjs'
import { pages } from './pages.mjs'
import { counterRoutes } from './routes/counter.mjs'
import { healthRoutes } from './routes/health.mjs'
import { jobRoutes } from './routes/jobs.mjs'
import { limitedRoutes } from './routes/limited.mjs'
import { liveRoutes } from './routes/live.mjs'
import { profileRoutes } from './routes/profile.mjs'
import { roomRoutes } from './routes/room.mjs'
import { sessionRoutes } from './routes/session.mjs'

/** Builds the server. `stopping` is an `AbortSignal` that ends long-running work. */
export function createApp({ engine, proxies, stopping }) {
  const jobs = openJobs()
  const context = { engine, proxies, stopping, jobs }
  const routes = [
    sessionRoutes,
    profileRoutes,
    limitedRoutes,
    counterRoutes,
    jobRoutes,
    roomRoutes,
    liveRoutes,
    healthRoutes,
    pages,
  ].flatMap((make) => Object.entries(make(context)).map(([route, handler]) => compile(route, handler)))

  const open = new Set()
  const running = new Set()
  const server = createServer((request, response) => {
    open.add(response)
    response.once('close', () => open.delete(response))
    const run = respond(routes, request, response)
      .catch((error) => {
        // The client left in the middle of its request, so there is no one to respond to.
        if (request.destroyed && !request.complete) return
        refuse(response, error)
      })
      .finally(() => running.delete(run))
    running.add(run)
  })
  // A client that sends half a request does not hold a connection for minutes.
  server.requestTimeout = 10_000
  server.headersTimeout = 10_000

  return {
    server,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      // Work continues after its client has left: it may hold a lock, which it releases at its end.
      await Promise.all(running)
      await Promise.all([...open].map((response) => once(response, 'close')))
      // The remaining connections have no request: browsers open them in advance and leave them open.
      server.closeAllConnections()
      await closed
      // Unfinished jobs return to the queue, for another worker.
      await jobs.close()
    },
  }
}

/** Compiles a route such as 'POST /api/rooms/:room' to a method and a pattern. */
function compile(route, handler) {
  const [method, path] = route.split(' ')
  const pattern = path.replaceAll('.', '\\.').replace(/:(\w+)/g, '(?<$1>[^/]+)')
  return { method, pattern: new RegExp(`^${pattern}$`), handler }
}

async function respond(routes, request, response) {
  const path = request.url.split('?', 1)[0]
  const found = routes.map((route) => ({ ...route, match: route.pattern.exec(path) })).filter(({ match }) => match)
  if (found.length === 0) throw new HttpError(404, 'not_found', 'There is nothing at this address.')
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const route = found.find((candidate) => candidate.method === method)
  if (!route) {
    response.setHeader('Allow', found.map((candidate) => candidate.method).join(', '))
    throw new HttpError(405, 'method_not_allowed', `This address does not support ${request.method}.`)
  }
  await route.handler(request, response, route.match.groups ?? {})
}

function refuse(response, error) {
  const { status, code, message } = describe(error)
  if (status >= 500) console.error(`${status} ${code}: ${message}`)
  // A part of the response has been sent already, so it can only be ended.
  if (response.headersSent) return response.destroy()
  // The rest of a body that is too long is read and discarded: closing now would lose the response to a client that still sends.
  if (status === 413) response.req.resume()
  send(response, status, { error: { code, message } })
}
