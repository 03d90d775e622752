import { healthHandler } from 'cinnabar'

export const dynamic = 'force-dynamic'

/** 200 while this process can work, 503 when it cannot; for anybody, so nothing but the status. */
export const GET = healthHandler({ detail: false })
