import type { CallLimits } from './calls.js'
import type { CinnabarError } from './errors.js'
import type { DataAnd, JobError, JobOptions, JobState } from './job.js'
import type {
  AddedJobOf,
  AnyAddedJob,
  AnyJob,
  AnyNewJob,
  AnyRepeat,
  JobData,
  JobName,
  JobResult,
  ResultByName,
} from './jobs-by-name.js'
import type { Jsonify } from './json.js'
import type { RedisService } from './service.js'
import type { ClosedWorkers, JobHandler, JobWorker, WorkerOptions } from './worker.js'

/** Options of a `JobQueue`. All processes that use a queue should give the same ones. */
export interface JobQueueOptions {
  /** The service that stores the queue. Default: the default service, which the environment configures. */
  service?: RedisService
  /** The prefix of the queue's keys. Default `'queue:'`. */
  prefix?: string
  /**
   * How long a worker's lease on its jobs lasts, in milliseconds from 100 to 3,600,000; it is renewed three times within that. When a
   * process dies, other workers take over its jobs after their leases expire; for those that had started, this counts as a crash (see
   * `maxCrashes`). A lease that expires only because the server's clock was set forward is not taken over. Default `10000`.
   */
  leaseMs?: number
  /** The maximum size of a job's data, and of its result, as JSON, in bytes, at most 64 MB. Default `1048576`. */
  maxBytes?: number
  /**
   * After how many crashes a job is dead, from 1 to 1,000,000. A crash means that the worker's process died, or lost its lease, after the job had started.
   * Every job that ran in that process may have caused it. Therefore a job runs alone from its second crash on, and before a crash
   * that could be its last: on a worker that runs nothing else, one such job of the queue at a time. So a job that keeps killing its
   * workers adds at most two crashes to the count of others, and none to those that had not started. If no worker is idle, one of them
   * finishes its jobs first; the others continue. With `1`, every job that ran beside it is dead. Default `5`.
   *
   * A worker knows only its own jobs. If several workers, of one queue or of several, run in one process, a job that ends the process
   * also adds a crash to each job that the others are running, even to one that runs alone on its worker. So run jobs that may end
   * their process where there is only one worker.
   */
  maxCrashes?: number
  /** Which finished jobs are kept. When a bound is exceeded, the oldest are removed first. */
  keep?: {
    /** Jobs that are done; `false` keeps none. Default: 100 jobs, for 1 hour, within 1 MB. */
    done?: false | KeepOptions
    /** Jobs that are dead; `false` keeps none. Default: 1000 jobs, for 7 days, within 10 MB. */
    dead?: false | KeepOptions
  }
  /** Defaults of the options of each job. */
  defaults?: Omit<JobOptions, 'id' | 'dedup'>
}

/** How many finished jobs are kept. */
export interface KeepOptions {
  /** The maximum number of jobs, at most 10,000,000. */
  count?: number
  /** For how long, in seconds. */
  ageSeconds?: number
  /** The maximum size of their data and results together, in bytes; 16 times as much for jobs that finished within the last second. */
  bytes?: number
}

/** The number of jobs in each state. */
export interface JobCounts {
  /** Jobs that wait for a worker. */
  ready: number
  /** Jobs that wait for their time. */
  delayed: number
  /** Jobs that a worker has. */
  active: number
  /** Jobs that are done, as far as they are kept. */
  done: number
  /** Jobs that are dead, as far as they are kept. */
  dead: number
  /** Whether the queue is paused. */
  paused: boolean
}

/**
 * The events of a queue, for its jobs in all processes. What is too long for a message is left out, and the event is marked
 * `partial`; `get` reads the whole job.
 */
export interface JobQueueEvents<Result = unknown> {
  /** A job was added. */
  added: { id: string; name: string }
  /** An attempt starts. */
  active: { id: string; attempt: number }
  /** A handler reported progress. */
  progress: { id: string; progress?: unknown; partial?: true }
  /** A job is done. */
  completed: { id: string; attempt: number; result?: Jsonify<Result>; partial?: true }
  /** An attempt failed, whether or not another one follows. */
  failed: { id: string; attempt: number; error?: JobError }
  /** An attempt failed, and another one follows. */
  retrying: { id: string; attempt: number; delayMs: number; error?: JobError; partial?: true }
  /** The worker that ran the job crashed; the job is ready again, and from its second crash on it runs alone. */
  stalled: { id: string; crashes: number }
  /** A job is dead; `attempt` is 0 if no attempt failed but each worker crashed. */
  dead: { id: string; attempt: number; error?: JobError; partial?: true }
  /** A job was removed. */
  removed: { id: string }
  /** A dead job starts again, or a delayed one at once, because of `retry` or `redrive`. */
  retried: { id: string }
  /** Events were missed: how many, or `'unknown'`, because the connection was lost or a listener is too slow. */
  gap: { missed: number | 'unknown' }
  /**
   * A worker of this process cannot continue; reported once until it can, or until the reason is another. Without a listener, it is one
   * line of `console.warn`, unless the reason is that the server cannot be reached.
   */
  error: CinnabarError
}

/** When a job repeats: every `everyMs`, or by `cron`. */
export type RepeatSchedule = RepeatBounds &
  (
    | {
        /**
         * The interval between two slots, in milliseconds, at least 100. Counted from `startAt`; without it, from 1970 in UTC, so that an
         * interval of one hour means each full hour, whenever the repeat was added.
         */
        everyMs: number
        cron?: undefined
        timeZone?: undefined
      }
    | {
        /**
         * Five fields: minute, hour, day of month, month, day of week; or six, with seconds first. Allowed are `* , - / L W #`, names such
         * as `MON` and `JAN`, and `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. If both day of month and day of week are
         * restricted, a day matches if either does; if the day of week begins with `+`, both must.
         *
         * When clocks change: an expression with a `*` in seconds, minutes or hours (or with all 24 hours listed) follows elapsed time, so
         * that every 15 minutes stays every 15 minutes. A time that is skipped has no slot, and one that occurs twice has two. Any other
         * expression names times of day, each with exactly one slot per day: if the time is skipped, at the moment of the change; if it
         * occurs twice, the first time.
         */
        cron: string
        /** The IANA time zone of the expression, such as `Europe/Berlin`. Default `UTC`. Time zones are bundled with the package. */
        timeZone?: string
        everyMs?: undefined
      }
  )

/** The bounds of a schedule. */
export interface RepeatBounds {
  /** No slot is before this: milliseconds since 1970, or a `Date`. */
  startAt?: number | Date
  /** No slot is after this: milliseconds since 1970, or a `Date`. */
  endAt?: number | Date
  /** The maximum number of slots that fire, at least 1. */
  limit?: number
}

/** A repeat as it is stored. */
export interface Repeat<Data = unknown, Name extends string = string> {
  /** The repeat's id, unique within its queue. */
  id: string
  /** The interval between two slots, in milliseconds; `null` for a cron expression. */
  everyMs: number | null
  /** The cron expression; `null` for an interval. */
  cron: string | null
  /** The time zone of the expression. */
  timeZone: string | null
  /** No slot is before this, in milliseconds since 1970. */
  startAt: number | null
  /** No slot is after this, in milliseconds since 1970. */
  endAt: number | null
  /** The maximum number of slots that fire. */
  limit: number | null
  /** How many slots have fired. */
  fired: number
  /** The next slot, in milliseconds since 1970; `null` when `endAt` or `limit` is reached. */
  nextAt: number | null
  /** What kind of job it adds. */
  name: Name
  /** The data of its jobs, after a round trip through JSON. */
  data: Jsonify<Data>
  /** The maximum number of attempts of its jobs. */
  attempts: number
  /** The priority of its jobs. */
  priority: number
  /** The group of its jobs. */
  group: string | null
  /** How long an attempt of its jobs may take, in milliseconds. */
  timeoutMs: number
}

/**
 * A queue of jobs that are stored until a worker has run them. All processes that use the same name share it.
 *
 * `Data` is the type of a job's data, and `Result` the type of what its handler returns. Or `Data` declares jobs by name: a type with
 * one property per name, each an object with the data of that job, or `{ data, result }`. Then `add` checks the data by the name, and
 * in a handler a comparison of `job.name` narrows `job.data`.
 *
 * Each job runs at least once: a worker has a lease on it, which is renewed outside the event loop, and when the lease expires because
 * the process died, another worker gets the job. Without a server every call rejects, whatever `onUnavailable` says; workers continue
 * when it is back.
 *
 * Ids of jobs and repeats may come from clients. For a string that cannot be an id (empty, over 512 bytes, with a NUL or a lone
 * surrogate) there is no job, no log and no repeat. Methods that add one reject with `E_INVALID_ARGUMENT`.
 *
 * @example
 * const mails = new JobQueue<{ to: string }, string>('mails')
 * const worker = mails.process(async (job, { signal }) => send(job.data.to, signal), { concurrency: 10 })
 * await mails.add('welcome', { to: 'ada@example.com' }, { attempts: 5 })
 *
 * @example
 * const mails = new JobQueue<{ welcome: { to: string }; digest: { data: { to: string[] }; result: number } }>('mails')
 * mails.process(async (job) => (job.name === 'digest' ? sendAll(job.data.to) : send(job.data.to)))
 * await mails.add('welcome', { to: 'ada@example.com' })
 */
export class JobQueue<Data = unknown, Result = ResultByName> implements AsyncDisposable {
  /**
   * @param name Not empty. Queues with the same name and prefix are the same queue.
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an invalid name or option, `E_INVALID_SETTINGS` for an invalid prefix.
   */
  constructor(name: string, options?: JobQueueOptions)
  /** The queue's name. */
  readonly name: string
  /**
   * Returns the same queue with its calls bound to a deadline, a signal or both. Workers and running jobs are not bound by it. If bound
   * again, the shorter time and every signal apply.
   *
   * @example
   * await queue.with({ timeoutMs: 200 }).add('name', data)
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option.
   */
  with(limits: CallLimits): JobQueue<Data, Result>
  /**
   * Adds a job. If it rejects, adding the job again with the same `id` does no harm.
   *
   * Rejects with `E_INVALID_ARGUMENT` for data that JSON cannot represent or that exceeds `maxBytes`, and for invalid options.
   */
  add<Name extends JobName<Data, Result>>(
    name: Name,
    ...rest: DataAnd<JobData<Data, Result, Name>, JobOptions>
  ): Promise<AddedJobOf<Data, Result, Name>>
  /**
   * Adds many jobs, in their order and in as few round trips as possible. If it rejects because one of them is invalid, none was added.
   * If it rejects with `E_MAYBE_APPLIED`, some may have been added: `error.done` has the ids of those that are known to be in the
   * queue. Adding the same jobs again does no harm to those with an `id`.
   */
  addMany(jobs: readonly AnyNewJob<Data, Result>[]): Promise<AnyAddedJob<Data, Result>[]>
  /**
   * Starts a worker, which runs jobs by calling `handler`, in the asynchronous context of this call. `JobHandler` says what happens to
   * the value that a handler returns or throws.
   *
   * In development (`NODE_ENV=development` or `bun --hot`), a module that is evaluated again replaces the workers, listeners and
   * subscriptions that it started during its previous evaluation. In Next.js, start workers in `register()` of
   * `instrumentation.ts`.
   *
   * A job that failed permanently is logged on `console.error`, at most once a minute per queue, with the names of queue and job and
   * the error. It is not logged if this process listens for `dead` or `failed`, or waits for the job with `finished()`.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an invalid option, `E_CLOSED` if the service is disconnected.
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
   * Adds a job at each slot of a schedule, by the server's clock, as long as any worker of the queue runs in any process. Of several
   * workers, one adds the job. The job's id is `<id>:<slot>`, with the slot in milliseconds since 1970, so that a slot has one job.
   *
   * Called again with the same `id`, it replaces the repeat. If the schedule is the same, the next slot does not change, so a program may
   * call it at every start without skipping or doubling a slot. If no worker was running for over 10 seconds, only the last slot of
   * that time fires, once, and the schedule continues from now. A repeat that has reached `endAt` or `limit` remains stored until
   * `unrepeat`.
   *
   * Rejects with `E_INVALID_ARGUMENT` for an invalid schedule, one that no date matches (such as 30 February), an unknown time zone,
   * an `id` of over 480 bytes, `options.id`, and for arguments that `add` rejects.
   *
   * @returns The repeat's id and its next slot, in milliseconds since 1970; `nextAt` is `null` if the schedule has ended.
   * @example
   * await queue.repeat('report', { cron: '30 2 * * *', timeZone: 'Europe/Berlin' }, 'report', { of: 'yesterday' })
   * await queue.repeat('sweep', { everyMs: 60_000 }, 'sweep')
   */
  repeat<Name extends JobName<Data, Result>>(
    id: string,
    schedule: RepeatSchedule,
    name: Name,
    ...rest: DataAnd<JobData<Data, Result, Name>, Omit<JobOptions, 'id'>>
  ): Promise<{ id: string; nextAt: number | null }>
  /** Removes a repeat; returns `false` if it does not exist. Jobs that it has added remain. */
  unrepeat(id: string): Promise<boolean>
  /** Returns the repeats in the order of their next slots, those without one last. Default `limit`: 100. */
  repeats(options?: { offset?: number; limit?: number } & CallLimits): Promise<AnyRepeat<Data, Result>[]>
  /** Returns a snapshot of a job, or `null`. */
  get(id: string): Promise<AnyJob<Data, Result> | null>
  /**
   * Returns the jobs in a state: ready ones in the order in which they will run, delayed ones by when they are due, finished ones
   * newest first. Default `limit`: 100.
   */
  list(state: JobState, options?: { offset?: number; limit?: number } & CallLimits): Promise<AnyJob<Data, Result>[]>
  /** Returns lines of a job's log, oldest first. Default `limit`: 100. */
  logs(id: string, options?: { offset?: number; limit?: number } & CallLimits): Promise<string[]>
  /** Counts the jobs in each state. */
  counts(): Promise<JobCounts>
  /** Pauses the queue: no worker in any process takes a job; running ones continue. */
  pause(): Promise<void>
  /** Ends the pause: workers take jobs again. */
  resume(): Promise<void>
  /**
   * Removes a job in any state; returns `false` if it does not exist. The `signal` of an active job aborts within a third of `leaseMs`.
   */
  remove(id: string): Promise<boolean>
  /**
   * Starts a dead job again with all its attempts, or a delayed one at once. Returns `false` if the job is in another state, or if
   * it is dead and another job with its deduplication id has not finished.
   */
  retry(id: string): Promise<boolean>
  /** Starts dead jobs again, the oldest first and at most `limit` (default: all); returns how many. */
  redrive(options?: { limit?: number } & CallLimits): Promise<number>
  /** Removes all jobs that are ready, and with `delayed: true` also those that are delayed; returns how many. */
  drain(options?: { delayed?: boolean } & CallLimits): Promise<number>
  /**
   * Removes jobs in a state that finished, or were added if they have not finished, at least `olderThanMs` milliseconds ago (default 0):
   * the oldest first, and at most `limit` (default: all). Returns how many. Rejects with `E_INVALID_ARGUMENT` for `'active'`.
   */
  clean(
    state: Exclude<JobState, 'active'>,
    options?: { olderThanMs?: number; limit?: number } & CallLimits,
  ): Promise<number>
  /**
   * Calls `listener` for each such event, in the asynchronous context of this call. The first listener subscribes to the queue's
   * channel, and the removal of the last one ends the subscription; meanwhile the process stays alive. Events are fast but may be lost,
   * which `gap` reports. Exceptions of a listener are ignored, except that the first one is reported on the console. After
   * `service.disconnect()` listeners are no longer called.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown event, `E_CLOSED` if the service is disconnected.
   * @example
   * queue.on('progress', ({ id, progress }) => bar(id).show(progress))
   */
  on<Event extends keyof JobQueueEvents>(
    event: Event,
    listener: (details: JobQueueEvents<JobResult<Data, Result>>[Event]) => unknown,
  ): this
  /** Calls `listener` for the next such event only. */
  once<Event extends keyof JobQueueEvents>(
    event: Event,
    listener: (details: JobQueueEvents<JobResult<Data, Result>>[Event]) => unknown,
  ): this
  /** Removes a listener. */
  off<Event extends keyof JobQueueEvents>(
    event: Event,
    listener: (details: JobQueueEvents<JobResult<Data, Result>>[Event]) => unknown,
  ): this
  /**
   * Removes all listeners of an event, or of all events.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown event.
   */
  removeAllListeners(event?: keyof JobQueueEvents): this
  /**
   * Returns the number of listeners of an event.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown event.
   */
  listenerCount(event: keyof JobQueueEvents): number
  /**
   * Closes the workers that this queue started, as `worker.close()` does, removes the queue's listeners, and rejects pending
   * `finished()` calls with `E_CLOSED`. Everything else continues to work.
   */
  close(options?: { timeoutMs?: number }): Promise<ClosedWorkers>
  /** Calls `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>

  // Aliases, as `node:events` names them.

  /** The same as `on`. */
  addListener: this['on']
  /** The same as `off`. */
  removeListener: this['off']
}
