// Types that a program declares: jobs by name, channels, sessions; with lines that must not compile.
import { JobQueue, SessionManager, redisService } from 'cinnabar'
import type { AddedJob, Job, JobHandler, JobTypes } from 'cinnabar'

import { same } from './same.js'

type Mails = {
  welcome: { to: string }
  digest: { data: { to: string[] }; result: number }
  sweep: undefined
  count: { data: number }
}

export async function jobsByName(): Promise<void> {
  const mails = new JobQueue<Mails>('mails')
  const added = await mails.add('welcome', { to: 'ada' }, { delay: 5 })
  same<AddedJob<{ to: string }, unknown, 'welcome'>, typeof added>(true)
  const result: number = await (await mails.add('digest', { to: ['ada'] })).finished()
  await mails.add('sweep')
  await mails.add('count', 5)
  await mails.addMany([{ name: 'welcome', data: { to: 'ada' }, priority: 1 }, { name: 'sweep' }])
  await mails.repeat('daily', { cron: '@daily' }, 'digest', { to: ['ada'] }, { priority: 1 })
  await mails.repeat('hourly', { cron: '@hourly' }, 'sweep')
  mails.process((job) => {
    switch (job.name) {
      case 'welcome':
        return job.data.to.toUpperCase()
      case 'digest':
        same<{ to: string[] }, typeof job.data>(true)
        return job.data.to.length
      case 'count':
        return job.data.toFixed()
    }
  })
  const handler: JobHandler<Mails> = async (job, { signal }) => (signal.aborted ? job.attempt : 1)
  mails.process(handler)
  const job = await mails.get('id')
  if (job?.name === 'digest') same<number | undefined, typeof job.result>(true)
  const [repeat] = await mails.repeats()
  if (repeat?.name === 'welcome') same<{ to: string }, typeof repeat.data>(true)
  const [first, second] = await mails.addMany([{ name: 'sweep' }])
  if (first?.name === 'welcome') first.data.to.toUpperCase()
  await redisService.queue<Mails>('mails').with({ timeoutMs: 5 }).add('sweep')
  void [result, second]

  // @ts-expect-error no job has this name
  await mails.add('welcom', { to: 'ada' })
  // @ts-expect-error the data of another job
  await mails.add('welcome', { to: ['ada'] })
  // @ts-expect-error its data is missing
  await mails.add('welcome')
  // @ts-expect-error the data of another job
  await mails.addMany([{ name: 'digest', data: { to: 'ada' } }])
  // @ts-expect-error no job has this name
  await mails.repeat('daily', { cron: '@daily' }, 'daily')
  // @ts-expect-error the data differ by name
  mails.process((job) => job.data.to.length)
  // @ts-expect-error no job has this name
  mails.process((job) => (job.name === 'welcom' ? 1 : 2))
}

/** What is the data of every job, although it is an object of objects. */
export async function dataOfEveryJob(): Promise<void> {
  type OneData = { [name: string]: { data: { user: { id: string } }; result: unknown } }
  same<OneData, JobTypes<{ user: { id: string } }, unknown>>(true)
  const explicit = new JobQueue<{ user: { id: string } }, unknown>('explicit')
  await explicit.add('any name', { user: { id: 'ada' } })
  await new JobQueue<{ to: string }>('primitive').add('any name', { to: 'ada' })
  await new JobQueue<{ at: Date }>('date').add('any name', { at: new Date() })
  await new JobQueue<{ tags: string[] }>('array').add('any name', { tags: [] })
  await new JobQueue<{ user?: { id: string } }>('optional').add('any name', {})
  await new JobQueue<Record<string, { id: string }>>('index').add('any name', { ada: { id: 'ada' } })
  await new JobQueue<{ any: any }>('any').add('any name', { any: 1 })
  await new JobQueue<any>('any').add('any name', 1)
  await new JobQueue<{}>('empty').add('any name', {})
  const text: string = await (await new JobQueue<any, string>('any').add('any name', 1)).finished()
  const never: Job<unknown, never> | null = await new JobQueue<unknown, never>('never').get('id')
  void [text, never]
}

/** An update may name another user, or none. */
export async function owners(): Promise<void> {
  const classes: Function[] = [SessionManager]
  void classes
  const sessions = new SessionManager<{ role: string }>()
  await sessions.updateSession('id', { userId: null })
  await sessions.update('id', { userId: 5, role: 'admin' })
  await sessions.storeSession('id', { role: 'admin', userId: 5, createdAt: new Date().toISOString() })
  await sessions.updateSession('id', {}, { ttl: 60, remove: ['role'], timeoutMs: 100 })
  // @ts-expect-error no such field
  await sessions.updateSession('id', {}, { remove: ['rol'] })
  // @ts-expect-error a user id is not removed
  await sessions.updateSession('id', {}, { remove: ['userId'] })
  // @ts-expect-error no such field
  await sessions.updateSession('id', { rol: 'admin' })
  // @ts-expect-error a user id is a string or a number
  await sessions.updateSession('id', { userId: {} })
}

/** The session of a request has the type of its manager's sessions. */
export async function requests(request: Request): Promise<Response> {
  const sessions = new SessionManager<{ role: string }>(undefined, {
    tokens: 'hashed',
    cookie: { name: 'sid', sameSite: 'strict' },
    trustedOrigins: ['https://app.example.com'],
  })
  const session = await sessions.fromRequest(request)
  const { ended } = await session.signIn('ada', { role: 'admin' }, { ttl: 60, tags: ['org:7'] })
  const device: string | undefined = ended[0]?.session.role
  void device
  const role: string | undefined = session.data?.role
  const user: string | null = session.userId
  await session.update({ role: 'guest' })
  await session.start({ role: 'guest' }, { ttl: 60 })
  const devices: string[] = (await session.devices()).map(({ publicId, session }) => publicId + session.role)
  const ended0: number = (await session.revoke('id')) + (await session.revokeOthers())
  void [devices, ended0]
  const since: Date | null = session.signedInAt
  const fresh: boolean = session.isFresh(300)
  void [since, fresh, new SessionManager(undefined, { ...SessionManager.presets.NIST_AAL2 })]
  const rotated: boolean = await session.rotate({ graceSeconds: 0 })
  const connection = await sessions.bind(session, new AbortController(), { state: { rooms: ['a'] } })
  const rooms: readonly string[] | undefined = connection?.state.rooms
  await connection?.update({ rooms: [] })
  await sessions.bind('id', new WebSocket('ws://a.test'), { onEnd: (reason: string) => void reason })
  await sessions.bind('id', (reason: string) => void reason)
  // @ts-expect-error what cannot be closed
  await sessions.bind('id', {})
  // @ts-expect-error no such field
  await connection?.update({ room: [] })
  const states = await sessions.connections<{ rooms: string[] }>('ada')
  const since2: string[] = states.map(({ connectedAt, rooms }) => connectedAt + rooms[0])
  await sessions.watch((event) => {
    if (event.type === 'ended') {
      const reason: 'destroyed' | 'user-invalidated' | 'tag-destroyed' | 'limit' | 'user-changed' = event.reason
      void reason
    }
  })
  for await (const { type } of await sessions.watch()) void type
  void [rooms, since2]
  // @ts-expect-error no such field
  await session.update({ rol: 'admin' })
  // @ts-expect-error a field that is missing
  await session.signIn('ada')
  // @ts-expect-error who signs in gets a new id
  await session.signIn('ada', { role: 'admin' }, { id: 'mine' })
  // @ts-expect-error not a response
  session.commit({ status: 200 })
  void [role, user, rotated]
  const page: Response = session.commit(new Response('body'))
  const headers: Headers = session.commit(new Headers())
  void headers
  return page
}

/** A handler with its session keeps the type of its request and its further arguments. */
export const route: (request: Request, context: { params: string }) => Promise<Response> = SessionManager.withSession(
  async (request: Request, session, context: { params: string }) => {
    const user: string | null = session.userId
    return Response.json([request.url, user, context.params])
  },
  { required: true },
)

/** A subclass with a type parameter says which form it uses by giving `Result`. */
export class Audited<Data, Result = unknown> extends JobQueue<Data, Result> {
  audit(): void {
    this.process(async (job): Promise<any> => {
      const text: string = job.name + job.id + job.attempt
      const data: unknown = job.data
      void [text, data]
    })
  }
}
export class Concrete<Data> extends JobQueue<Data, void> {
  audit(): void {
    this.process(async (job) => void job.data)
  }
}
