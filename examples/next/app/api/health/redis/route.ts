import { healthHandler } from 'cinnabar'

export const dynamic = 'force-dynamic'

/** Responds with the whole report. It contains host names, so do not make it public. */
export const GET = healthHandler()
