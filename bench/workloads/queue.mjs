/** Background jobs: added one by one and many at once, and done by a handler that does nothing. */
const CONTENDERS = ['cinnabar', 'bullmq']

const makeData = (n) => ({ to: `user:${n % 997}@example.com`, template: 'welcome', order: 100_000 + n })
const makeJobs = (count) => Array.from({ length: count }, (_, n) => ({ name: 'mail', data: makeData(n) }))

/** Jobs pile up, so each run starts on an empty server. */
const common = { baseline: 'bullmq', contenders: CONTENDERS, flushEachRun: true }

export const add = {
  ...common,
  name: 'add',
  title: 'Queue add',
  inflight: [64],
  async prepare(client) {
    await client.addJob('mail', makeData(0))
    if ((await client.jobsLeft()) !== 1) throw new Error('a job that was added is not there')
    return (i) => client.addJob('mail', makeData(i))
  },
}

export const addMany = {
  ...common,
  name: 'add-many',
  title: 'Queue addMany',
  shape: 'batch',
  inflight: [1],
  fixed: true,
  async prepare(client, { jobs }) {
    const list = makeJobs(jobs)
    return {
      jobs,
      run: () => client.addJobs(list),
      async tearDown() {
        const left = await client.jobsLeft()
        if (left !== jobs) throw new Error(`${left} of ${jobs} jobs are there`)
      },
    }
  },
}

export const work = {
  ...common,
  name: 'process',
  title: 'Queue process',
  shape: 'batch',
  unit: 'at once',
  inflight: [1, 100],
  async prepare(client, { jobs }) {
    let handled, all, worker
    return {
      jobs,
      async setUp(concurrency) {
        handled = 0
        await client.addJobs(makeJobs(jobs))
        worker = await client.makeWorker(async () => {
          handled += 1
          if (handled === jobs) all()
        }, concurrency)
      },
      /** Until the store says that nothing waits and nothing is under way. */
      async run() {
        const everyJob = new Promise((resolve) => (all = resolve))
        worker.start()
        await everyJob
        while ((await client.jobsLeft()) > 0);
      },
      async tearDown() {
        await worker.close()
        if (handled !== jobs) throw new Error(`${jobs} jobs were handled ${handled} times`)
      },
    }
  },
}
