// A lone top-level await keeps the process alive until it settles, and nothing keeps it alive after that.

import { redisService } from 'cinnabar'

console.log(await redisService.set('lone', 'await'))
