import type { CallLimits } from './calls.js'
import type { CinnabarError } from './errors.js'
import type { AddedJob, DataAnd, Job, JobError, JobOptions, JobState, NewJob } from './job.js'
import type { Jsonify } from './json.js'
import type { RedisService } from './service.js'
import type { ClosedWorkers, JobHandler, JobWorker, WorkerOptions } from './worker.js'

/** Options of a `JobQueue`. Whoever uses a queue should give the same. */
export interface JobQueueOptions {
  /** Where the queue lives. Default: the service that the environment describes. */
  service?: RedisService
  /** What the keys begin with. Default `'queue:'`. */
  prefix?: string
  /**
   * Lease of a worker on its jobs, in milliseconds from 100 to 3,600,000; renewed three times within that. When a process dies,
   * other workers take over its jobs after their leases expire; those that had started count a crash, see `maxCrashes`. A lease
   * that expires only because the server's clock was set forward is not taken over. Default `10000`.
   */
  leaseMs?: number
  /** Most bytes of the data of a job, or of its result, as JSON. Default `1048576`. */
  maxBytes?: number
  /**
   * How many crashes a job is dead after: how often the process of its worker may die, or lose its lease, after the job started.
   * Any job that ran in that process may have killed it. So from its second crash on, and before one that could be its last, a job
   * runs alone, on a worker that runs nothing else, one such job of the queue at a time: a job that keeps killing its workers adds
   * at most two crashes to the count of others, and none to those that had not started. If no worker is idle, one of them finishes
   * its jobs first; the others go on. With `1`, everything that ran beside it is dead. Default `5`.
   *
   * A worker knows only its own jobs. If several workers, of one queue or of several, run in one process, a job that ends the process
   * also adds a crash to each job that the others are running, even to one that runs alone on its worker. So run jobs that may end
   * their process where there is only one worker.
   */
  maxCrashes?: number
  /** Which finished jobs are kept. The oldest go first when one of the bounds is exceeded. */
  keep?: {
    /** Those that are done; `false` keeps none. Default: 100, for an hour, within 1 MB. */
    done?: false | KeepOptions
    /** Those that are dead; `false` keeps none. Default: 1000, for 7 days, within 10 MB. */
    dead?: false | KeepOptions
  }
  /** What holds for every job that does not say otherwise. */
  defaults?: Omit<JobOptions, 'id' | 'dedup'>
}

/** How much of what has finished is kept. */
export interface KeepOptions {
  /** At most so many jobs. */
  count?: number
  /** At most for so many seconds. */
  ageSeconds?: number
  /** At most so many bytes of data and results together; 16 times as many of jobs that finished less than a second ago. */
  bytes?: number
}

/** How many jobs are in each state. */
export interface JobCounts {
  /** Waiting for a worker. */
  ready: number
  /** Waiting for their time. */
  delayed: number
  /** With a worker. */
  active: number
  /** Done and kept. */
  done: number
  /** Dead and kept. */
  dead: number
  /** Whether the queue is paused. */
  paused: boolean
}

/** What a queue tells of its jobs, in whatever process. What is too long for a message is left out, and the rest `partial`: `get` reads it. */
export interface JobQueueEvents<Result = unknown> {
  /** A job was added. */
  added: { id: string; name: string }
  /** An attempt begins. */
  active: { id: string; attempt: number }
  /** A job said how far it is. */
  progress: { id: string; progress?: unknown; partial?: true }
  /** A job is done. */
  completed: { id: string; attempt: number; result?: Jsonify<Result>; partial?: true }
  /** An attempt failed, whatever follows. */
  failed: { id: string; attempt: number; error?: JobError }
  /** An attempt failed, and another one follows. */
  retrying: { id: string; attempt: number; delayMs: number; error?: JobError; partial?: true }
  /** The worker that ran the job crashed; the job is ready again, and from its second crash on it runs alone. */
  stalled: { id: string; crashes: number }
  /** A job failed permanently; `attempt` is 0 where no attempt failed but every worker was gone. */
  dead: { id: string; attempt: number; error?: JobError; partial?: true }
  /** A job was removed. */
  removed: { id: string }
  /** A dead job starts anew. */
  retried: { id: string }
  /** Events were missed: so many, or nobody knows how many, because the connection was lost or a listener is too slow. */
  gap: { missed: number | 'unknown' }
  /**
   * A worker of this process cannot go on; told once until it can, or until it is for another reason. Without a listener, what is not
   * a server that cannot be reached is one line of `console.warn`.
   */
  error: CinnabarError
}

/** When a job repeats: every `everyMs`, or by `cron`. */
export type RepeatSchedule = RepeatBounds &
  (
    | {
        /**
         * Milliseconds from slot to slot, at least 100. They are counted from `startAt`, or else from 1970 in UTC: every hour means at each
         * full hour, whoever said it when.
         */
        everyMs: number
        cron?: undefined
        timeZone?: undefined
      }
    | {
        /**
         * Five fields: minute, hour, day of month, month, day of week; or six, with seconds first. `* , - / L W #`, names such as `MON` and
         * `JAN`, and `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. Where day of month and day of week are both restricted, a day
         * that matches either is meant, and only one that matches both when the day of week begins with `+`.
         *
         * On days when clocks change: with a `*` in seconds, minutes or hours (or with all 24 hours listed) it follows real time, so that
         * what is every 15 minutes stays every 15 minutes. A time that is skipped has no slot then, one that comes twice has two. Any other
         * expression names times of day, each of which has exactly one slot a day: one that is skipped at the moment of the jump, one
         * that comes twice the first time.
         */
        cron: string
        /** The IANA time zone of the expression, such as `Europe/Berlin`. Default `UTC`. The package brings the zones with it. */
        timeZone?: string
        everyMs?: undefined
      }
  )

/** Which slots of a schedule count. */
export interface RepeatBounds {
  /** No slot before this; a time in epoch milliseconds or a `Date`. */
  startAt?: number | Date
  /** No slot after this. */
  endAt?: number | Date
  /** At most so many slots fire, from 1. */
  limit?: number
}

/** A repeat as it is kept. Times are epoch milliseconds. */
export interface Repeat<Data = unknown> {
  /** Its id in its queue. */
  id: string
  /** Milliseconds from slot to slot, if it is an interval. */
  everyMs: number | null
  /** The cron expression, if it is one. */
  cron: string | null
  /** The zone of the expression. */
  timeZone: string | null
  /** No slot before this. */
  startAt: number | null
  /** No slot after this. */
  endAt: number | null
  /** At most so many slots fire. */
  limit: number | null
  /** So many have fired. */
  fired: number
  /** The next slot; `null` when `endAt` or `limit` is reached. */
  nextAt: number | null
  /** What kind of job it adds. */
  name: string
  /** What that job is about, after a round trip through JSON. */
  data: Jsonify<Data>
  /** How many attempts it has. */
  attempts: number
  /** Its priority. */
  priority: number
  /** Its group. */
  group: string | null
  /** How long an attempt may take. */
  timeoutMs: number
}

/**
 * Jobs that are kept until somebody has done them, shared by all processes that name the queue alike.
 *
 * Each job is done at least once: a worker has a lease on it, which is renewed outside the event loop, and when the lease runs out
 * because its process is gone, another worker gets it. Without a server every call rejects, whatever `onUnavailable`
 * says; workers go on when it is back.
 *
 * Ids of jobs and repeats may come from clients: of a string that cannot be one (empty, over 512 bytes, with a NUL or a lone surrogate)
 * there is no job, no log and no repeat. Methods that add one reject with `E_INVALID_ARGUMENT`.
 *
 * @example
 * const mails = new JobQueue<{ to: string }, string>('mails')
 * const worker = mails.process(async (job, { signal }) => send(job.data.to, signal), { concurrency: 10 })
 * await mails.add('welcome', { to: 'ada@example.com' }, { attempts: 5 })
 */
export class JobQueue<Data = unknown, Result = unknown> implements AsyncDisposable {
  /**
   * @param name Not empty; queues of one name and prefix are the same queue.
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for a bad name or option, `E_INVALID_SETTINGS` for one out of its bounds.
   */
  constructor(name: string, options?: JobQueueOptions)
  /** Its name. */
  readonly name: string
  /**
   * The same queue with its calls bound to a deadline, a signal or both. Workers, and jobs that run, are not bound by it. Bound
   * once more, the shorter time and every signal count.
   *
   * @example
   * await queue.with({ timeoutMs: 200 }).add('name', data)
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option.
   */
  with(limits: CallLimits): JobQueue<Data, Result>
  /**
   * Adds a job. When it rejects, adding the same with the same `id` again does no harm.
   *
   * Rejects with `E_INVALID_ARGUMENT` for data that JSON cannot write or that is larger than `maxBytes`, and for bad options.
   */
  add(name: string, ...rest: DataAnd<Data, JobOptions>): Promise<AddedJob<Data, Result>>
  /**
   * Adds many jobs, in their order and in the fewest round trips. When it rejects because of one of them, none was added; when it
   * rejects with `E_MAYBE_APPLIED`, some may have been: `error.done` has the ids of those that are known to be in the queue. Adding
   * the same again does no harm to jobs with an `id`.
   */
  addMany(jobs: readonly NewJob<Data>[]): Promise<AddedJob<Data, Result>[]>
  /**
   * Runs jobs from now on, each by `handler`, in the asynchronous context of this call. See `JobHandler` for what becomes of
   * what it returns and throws.
   *
   * In development (`NODE_ENV=development` or `bun --hot`), a module that is evaluated again replaces the workers, listeners and
   * subscriptions that it started during its previous evaluation. In Next.js, start workers in `register()` of
   * `instrumentation.ts`.
   *
   * A job that failed permanently is logged on `console.error`, at most once a minute per queue, with the names of queue and job and
   * the error. It is not logged if this process listens for `dead` or `failed`, or waits for the job with `finished()`.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for a bad option, `E_CLOSED` when the service is disconnected.
   * @example
   * const worker = queue.process(
   *   async (job, { signal, progress }) => {
   *     for (const [index, page] of job.data.pages.entries()) {
   *       await render(page, { signal })
   *       progress(index / job.data.pages.length)
   *     }
   *   },
   *   { concurrency: 4, limits: { group: { concurrency: 1 } } },
   * )
   */
  process(handler: JobHandler<Data, Result>, options?: WorkerOptions): JobWorker
  /**
   * Adds a job at each slot of a schedule, by the server's clock, for as long as any worker of the queue runs in whatever process. Of
   * any number of workers one adds it; its id is `<id>:<slot>`, the slot in epoch milliseconds, so that a slot has one job.
   *
   * Given again with the same `id` it replaces what there was. With the same schedule the next slot stays as it is, so a program may say it at
   * every start and neither skips nor doubles one. Of slots that nobody was there to fire for over 10 seconds, the last fires, once, and then
   * it goes on from now. A repeat that has reached `endAt` or `limit` is remembered until `unrepeat`.
   *
   * Rejects with `E_INVALID_ARGUMENT` for what is no schedule, one that no date ever matches such as 30 February, an unknown zone, an
   * `id` of over 480 bytes, and for what `add` refuses; `options.id` is refused too.
   *
   * @returns When the next slot comes, in epoch milliseconds; `null` when none will.
   * @example
   * await queue.repeat('report', { cron: '30 2 * * *', timeZone: 'Europe/Berlin' }, 'report', { of: 'yesterday' })
   * await queue.repeat('sweep', { everyMs: 60_000 }, 'sweep')
   */
  repeat(
    id: string,
    schedule: RepeatSchedule,
    name: string,
    ...rest: DataAnd<Data, Omit<JobOptions, 'id'>>
  ): Promise<{ id: string; nextAt: number | null }>
  /** Forgets a repeat; `false` when there is none. Jobs that it has added stay. */
  unrepeat(id: string): Promise<boolean>
  /** The repeats by their next slots, 100 unless told; those that have none any more at the end. */
  repeats(options?: { offset?: number; limit?: number }): Promise<Repeat<Data>[]>
  /** A job as it is now, or `null`. */
  get(id: string): Promise<Job<Data, Result> | null>
  /**
   * Jobs of a state, 100 unless told: ready ones in the order in which they will be taken, delayed ones by when they are due,
   * finished ones newest first.
   */
  list(state: JobState, options?: { offset?: number; limit?: number }): Promise<Job<Data, Result>[]>
  /** Lines of the log of a job, oldest first, 100 unless told. */
  logs(id: string, options?: { offset?: number; limit?: number }): Promise<string[]>
  /** How many jobs are in each state. */
  counts(): Promise<JobCounts>
  /** Lets no worker take a job any more, in whatever process; what runs goes on. */
  pause(): Promise<void>
  /** Lets workers take jobs again. */
  resume(): Promise<void>
  /**
   * Removes a job in whatever state; `false` when there is none. The handler of an active one hears of it by its `signal`, within a third
   * of `leaseMs`.
   */
  remove(id: string): Promise<boolean>
  /**
   * Has a dead job start anew with all its attempts, or a delayed one at once; `false` when it is in another state, or one that
   * is the same waits or runs by now.
   */
  retry(id: string): Promise<boolean>
  /** Has dead jobs start anew, the oldest first and at most `limit` (all); returns how many. */
  redrive(options?: { limit?: number }): Promise<number>
  /** Removes all jobs that are ready, and with `delayed: true` those that wait for their time; returns how many. */
  drain(options?: { delayed?: boolean }): Promise<number>
  /**
   * Removes jobs of a state that finished, or were added where they have not, at least `olderThanMs` milliseconds ago (0): the oldest
   * first and at most `limit` (all). Returns how many. Rejects with `E_INVALID_ARGUMENT` for active ones.
   */
  clean(state: Exclude<JobState, 'active'>, options?: { olderThanMs?: number; limit?: number }): Promise<number>
  /**
   * Calls `listener` for every such event, in the asynchronous context of this call. The first listener subscribes to the queue's
   * channel, the last to go ends that; meanwhile the process stays alive. Events tell quickly and may be lost, which `gap` tells. A
   * listener that throws harms nobody: its first failure is reported on the console. After `service.disconnect()` listeners hear nothing.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown event, `E_CLOSED` when the service is disconnected.
   * @example
   * queue.on('progress', ({ id, progress }) => bar(id).show(progress))
   */
  on<Event extends keyof JobQueueEvents>(
    event: Event,
    listener: (details: JobQueueEvents<Result>[Event]) => unknown,
  ): this
  /** The same, once. */
  once<Event extends keyof JobQueueEvents>(
    event: Event,
    listener: (details: JobQueueEvents<Result>[Event]) => unknown,
  ): this
  /** Takes a listener away. */
  off<Event extends keyof JobQueueEvents>(
    event: Event,
    listener: (details: JobQueueEvents<Result>[Event]) => unknown,
  ): this
  /** `on`, as `node:events` calls it too. */
  addListener: this['on']
  /** `off`, as `node:events` calls it too. */
  removeListener: this['off']
  /** Takes all listeners to an event away, or all there are. */
  removeAllListeners(event?: keyof JobQueueEvents): this
  /** How many listen to an event. */
  listenerCount(event: keyof JobQueueEvents): number
  /**
   * Closes the workers that were made by this queue, each as `worker.close()` does, takes its listeners away, and rejects what
   * waits for jobs with `E_CLOSED`. Everything else goes on working.
   */
  close(options?: { timeoutMs?: number }): Promise<ClosedWorkers>
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}
