// What a program declares for all of its modules: the fields of sessions, and the values of channels.
import { SessionManager, publish, redisService, subscribe } from 'cinnabar'
import type { Message } from 'cinnabar'

import { same } from '../same.js'

declare module 'cinnabar' {
  interface SessionData {
    role: 'admin' | 'guest'
    since?: Date
  }
  interface Channels {
    'prism:events': { type: 'created'; at: Date }
    [user: `user:${string}`]: { unread: number }
  }
}

export async function sessions(): Promise<void> {
  const id = await SessionManager.createSession('ada', { role: 'admin', since: new Date() })
  const session = await SessionManager.getSession(id)
  same<'admin' | 'guest' | undefined, NonNullable<typeof session>['role'] | undefined>(true)
  const since: string | undefined = session?.since
  void since
  // @ts-expect-error no such role
  await SessionManager.createSession('ada', { role: 'root' })
  // @ts-expect-error a role is required
  await redisService.sessions.createSession('ada')
  // @ts-expect-error a date is a string after a round trip through JSON
  session?.since?.getTime()
}

export async function channels(userId: string, name: string): Promise<void> {
  await publish('prism:events', { type: 'created', at: new Date() })
  await publish(`user:${userId}` as const, { unread: 1 })
  await redisService.publish('prism:events', new Uint8Array(1))
  await subscribe('prism:events', ({ type, at }, channel) => same<'created', typeof type>(true) ?? at.trim() + channel)
  for await (const message of await redisService.subscribe('user:ada'))
    same<Message<{ unread: number }>, typeof message>(true)
  // Channels that are not declared.
  await publish('other', 1)
  await publish(name, { any: 'thing' })
  await publish<number>('other', 1)
  await subscribe('other', (value) => same<unknown, typeof value>(true))
  await subscribe<number>('other', (value) => value.toFixed())
  await subscribe('other', (value: string) => value.trim())
  await subscribe(name, (value: string) => value.trim(), { pattern: true })
  // A type argument wins.
  await subscribe<Buffer>('prism:events', (value) => value.byteLength, { buffers: true })

  // @ts-expect-error another value
  await publish('prism:events', { type: 'updated', at: new Date() })
  // @ts-expect-error another value
  await redisService.publish('user:ada', 'hello')
  // @ts-expect-error a date is a string after a round trip through JSON
  await subscribe('prism:events', ({ at }) => at.getTime())
  // @ts-expect-error no such field
  for await (const { value } of await subscribe('user:ada')) value.read
  // @ts-expect-error JSON cannot represent it
  await publish('other', new Map())
}
