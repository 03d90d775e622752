// Compiled against the installed package, as an ES module and as CommonJS.
import { JobQueue, SessionManager, publish, redisService } from 'cinnabar'
import type { Session } from 'cinnabar'
import { advanceTime } from 'cinnabar/testing'

declare module 'cinnabar' {
  interface SessionData {
    role: 'admin' | 'guest'
  }
  interface Channels {
    news: { id: number }
  }
}

export async function use(): Promise<void> {
  const session: Session | null = await SessionManager.getSession('id')
  const role: 'admin' | 'guest' | undefined = session?.role
  await publish('news', { id: 1 })
  const queue = new JobQueue<{ welcome: { to: string } }>('mails')
  await queue.add('welcome', { to: 'ada' })
  await advanceTime(redisService, 1)
  void role
  // @ts-expect-error no such role
  await SessionManager.createSession('ada', { role: 'none' })
  // @ts-expect-error another value
  await publish('news', 'text')
  // @ts-expect-error no job has this name
  await queue.add('welcom', { to: 'ada' })
}
