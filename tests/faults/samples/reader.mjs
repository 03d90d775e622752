// A process that reads what it is asked to, as a part of scenario 27: node reader.mjs redis://…

import { RedisService } from 'cinnabar'

import { readers } from './readers.mjs'

const service = new RedisService({ url: process.argv[2] })
await service.connect()
process.on('message', async ({ id, name, key }) => {
  try {
    process.send({ id, value: await readers[name](service, key) })
  } catch (error) {
    process.send({ id, error: `${error.code}: ${error.message}` })
  }
})
process.on('disconnect', () => process.exit())
process.send('ready')
