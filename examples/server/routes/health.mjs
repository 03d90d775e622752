// What a load balancer asks: 200 while this process can work, 503 when it cannot.
import { healthCheck } from '../../../index.js'
import { send } from '../http.mjs'

export function healthRoutes() {
  return {
    'GET /health': async (request, response) => {
      const health = await healthCheck()
      send(response, health.status === 'down' ? 503 : 200, health)
    },
  }
}
