// A lone top-level await keeps the process alive until its answer, and nothing keeps it alive after that.

import { redisService } from 'cinnabar'

console.log(await redisService.set('lone', 'await'))
