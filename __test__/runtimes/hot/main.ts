import { round } from './lib/round'

const server = Bun.serve({
  port: Number(process.env.PORT),
  hostname: '127.0.0.1',
  fetch: async () => Response.json(await round()),
})
console.log(`ready at ${server.url}`)
