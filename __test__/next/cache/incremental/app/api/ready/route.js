import { redisService } from 'cinnabar'

export const dynamic = 'force-dynamic'

export const GET = () => Response.json({ isConnected: redisService.isConnected })
