import { healthCheck } from 'cinnabar'

export const dynamic = 'force-dynamic'

/** 200 while this process can work, 503 when it cannot. */
export async function GET() {
  const health = await healthCheck()
  return Response.json(health, { status: health.status === 'down' ? 503 : 200 })
}
