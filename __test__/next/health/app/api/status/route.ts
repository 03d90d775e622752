import { healthHandler } from 'cinnabar'

export const dynamic = 'force-dynamic'

export const GET = healthHandler({ detail: false, maxAgeMs: 0 })
export const HEAD = GET
