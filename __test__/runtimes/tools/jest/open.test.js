// Everything that waits for something: after disconnect(), nothing of it may be an open handle.

const { RedisService } = require('cinnabar')

test('leaves nothing open after disconnect()', async () => {
  const service = new RedisService()
  await service.set('jest:open', '1')
  const queue = service.queue('jest')
  const worker = queue.process(async ({ data }) => data)
  const job = await queue.add('job', 1)
  expect(await job.finished()).toBe(1)
  await worker.close()
  await queue.close()
  const heard = new Promise((resolve) =>
    service.subscribe('jest:news', resolve).then(() => service.publish('jest:news', 1)),
  )
  expect(await heard).toBe(1)
  await service.disconnect()
})
