import { healthHandler } from 'cinnabar'

export const GET = healthHandler()
