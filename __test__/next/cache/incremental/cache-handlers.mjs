import { createCacheHandlers } from 'cinnabar/next/cache-handlers'

export default createCacheHandlers({ prefix: 'own:' })
