// Repeats, and lines that must not compile.
import { JobQueue } from 'cinnabar'
import type { Repeat, RepeatSchedule } from 'cinnabar'

export async function repeats(): Promise<void> {
  const queue = new JobQueue<{ of: string }>('reports')
  const daily: RepeatSchedule = { cron: '30 2 * * *', timeZone: 'Europe/Berlin', startAt: new Date(), limit: 5 }
  const { id, nextAt }: { id: string; nextAt: number | null } = await queue.repeat('daily', daily, 'report', {
    of: 'yesterday',
  })
  await queue.repeat(
    id,
    { everyMs: 60_000, endAt: nextAt ?? 0 },
    'report',
    { of: 'now' },
    { priority: 1, dedup: 'one' },
  )
  await new JobQueue('sweeps').repeat('plain', { cron: '@hourly' }, 'sweep')
  const [first]: Repeat<{ of: string }>[] = await queue.repeats({ offset: 0, limit: 1 })
  first?.data.of.toUpperCase()
  const removed: boolean = await queue.unrepeat('daily')
  void removed

  // @ts-expect-error an interval or a cron expression
  await queue.repeat('both', { everyMs: 1000, cron: '@hourly' }, 'report', { of: 'now' })
  // @ts-expect-error one of the two
  await queue.repeat('none', { limit: 1 }, 'report', { of: 'now' })
  // @ts-expect-error an interval has no time zone
  await queue.repeat('zone', { everyMs: 1000, timeZone: 'UTC' }, 'report', { of: 'now' })
  // @ts-expect-error its jobs get their ids from it
  await queue.repeat('id', { everyMs: 1000 }, 'report', { of: 'now' }, { id: 'own' })
  // @ts-expect-error other data
  await queue.repeat('data', { everyMs: 1000 }, 'report', { for: 'now' })
  // @ts-expect-error a time is a number or a Date
  await queue.repeat('start', { everyMs: 1000, startAt: 'tomorrow' }, 'report')
}
