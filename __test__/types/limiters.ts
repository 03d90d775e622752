// The stores for other packages that limit, in the types of those packages.
import { ThrottlerModule } from '@nestjs/throttler'
import { RedisService } from 'cinnabar'
import { CinnabarStore } from 'cinnabar/express-rate-limit'
import { CinnabarThrottlerStorage } from 'cinnabar/nestjs-throttler'
import { rateLimit } from 'express-rate-limit'

const service = new RedisService()

export const limiter = rateLimit({
  windowMs: 60_000,
  limit: 10,
  store: new CinnabarStore({ service, prefix: 'login:', onUnavailable: 'local' }),
})
export const throttler = ThrottlerModule.forRoot({
  throttlers: [{ ttl: 60_000, limit: 10 }],
  storage: new CinnabarThrottlerStorage({ service, denyCache: false }),
})

// @ts-expect-error an option of rate-limit-redis
new CinnabarStore({ sendCommand: () => undefined })
// @ts-expect-error no such option
new CinnabarThrottlerStorage({ client: service })
