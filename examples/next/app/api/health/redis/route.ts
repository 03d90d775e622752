import { healthHandler } from 'cinnabar'

export const dynamic = 'force-dynamic'

/** The whole report. It names hosts: keep it from the public. */
export const GET = healthHandler()
