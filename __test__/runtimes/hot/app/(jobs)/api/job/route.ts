import { RedisService } from 'cinnabar'
import { round } from '../../../../lib/round'

const VERSION = 0
// A service and a worker of the route's own, in the file that is edited.
const service = new RedisService({ url: process.env.REDIS_URL, poolSize: 1, timeoutMs: 4000 })
service.queue('of the route').process(async () => VERSION)

export async function GET() {
  const job = await service.queue<object, number>('of the route').add('job', {})
  return Response.json([VERSION, await job.finished(), ...(await round())])
}
