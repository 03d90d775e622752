/** Who takes part, how the tables call them, and which are cinnabar itself. */
export const titles = {
  cinnabar: 'cinnabar',
  'cinnabar-raw': 'cinnabar raw',
  ioredis: 'ioredis',
  'ioredis-auto': 'ioredis auto-pipe',
  'node-redis': 'node-redis',
  glide: 'valkey-glide',
  'rate-limiter-flexible': 'rate-limiter-flexible',
  'rate-limiter-flexible-auto': 'rate-limiter-flexible auto-pipe',
  'upstash-ratelimit': '@upstash/ratelimit on ioredis',
  'redis-semaphore': 'redis-semaphore',
  'redis-semaphore-auto': 'redis-semaphore auto-pipe',
  redlock: 'redlock',
  bullmq: 'BullMQ',
}

export const isPeer = (name) => !name.startsWith('cinnabar')
