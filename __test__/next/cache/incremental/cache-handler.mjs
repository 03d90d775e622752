import { createCacheHandler } from 'cinnabar/next/cache-handler'

export default createCacheHandler({ prefix: 'own:' })
