import { redisService } from 'cinnabar'

export default async function task(n) {
  await redisService.set(`piscina:${n}`, 'x'.repeat(5000))
  return (await redisService.get(`piscina:${n}`)).length
}
