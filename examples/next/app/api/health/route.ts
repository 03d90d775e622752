import { healthHandler } from 'cinnabar'

export const dynamic = 'force-dynamic'

/** Responds with 200 while this process can work, otherwise 503; without details, since any client may request it. */
export const GET = healthHandler({ detail: false })
