import { SessionManager } from 'cinnabar'
import { session } from 'cinnabar/next'

const options = { ...SessionManager.presets.OWASP, maxPerUser: 5 }

export const sessions = new SessionManager<{ name: string; device: string }>(undefined, options)
export const { getSession, actionSession, withSession } = session({ sessions })
