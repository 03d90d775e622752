// What a load balancer asks: 200 while this process can work, 503 when it cannot. The address stands under both names
// that are usual; however often they are asked, the server is asked once a second.
import { healthHandler } from '../../../index.js'

export function healthRoutes() {
  const health = healthHandler()
  return { 'GET /health': health.node, 'GET /api/health/redis': health.node }
}
