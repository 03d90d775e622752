// Health for load balancers: 200 while this process can work, 503 otherwise. Both common paths serve it; the server is checked at most
// once a second.
import { healthHandler } from '../../../index.js'

export function healthRoutes() {
  const health = healthHandler()
  return { 'GET /health': health.node, 'GET /api/health/redis': health.node }
}
