import type { Jsonify } from './json.js'

/** Options of one job. */
export interface JobOptions {
  /** Not before so many milliseconds have passed. Default `0`. */
  delay?: number
  /** How often it is tried at most. Default `3`. */
  attempts?: number
  /**
   * How long it waits after an attempt that failed: a fixed number of milliseconds, or how they grow. Default: a second,
   * doubled each time, at most an hour, more or less by a fifth.
   */
  backoff?: number | BackoffOptions
  /** From -500 to 500; lower goes first, and of the same priority whatever was added first. Default `0`. */
  priority?: number
  /**
   * The id, at most 512 bytes. Where there is a job of this id, in whatever state, nothing is added and that one is answered.
   * Default: one that nobody else has.
   */
  id?: string
  /**
   * What makes two jobs the same. While there is another with this that has not finished, or was added less than `ttlMs`
   * milliseconds ago, nothing is added and that one is answered.
   */
  dedup?: string | { id: string; ttlMs?: number }
  /**
   * How long an attempt may take, in milliseconds. Then it has failed and its `signal` aborts, whatever the handler does, even
   * where it blocks the event loop. Default 30 minutes.
   */
  timeoutMs?: number
  /** Whether it is kept once it is done, as the queue says. A dead job is kept in any case. Default `true`. */
  keep?: boolean
  /** The group whose limits it counts for, at most 512 bytes: a tenant, a host that is called. */
  group?: string
}

/** How the waits between attempts grow. */
export interface BackoffOptions {
  /** Whether they stay the same or double. Default `'exponential'`. */
  type?: 'fixed' | 'exponential'
  /** The first wait, in milliseconds. Default `1000`. */
  delayMs?: number
  /** The longest wait, in milliseconds. Default an hour. */
  maxMs?: number
  /** Which part of a wait is chance, from 0 to 1: it may be that much shorter or longer. Default `0.2`. */
  jitter?: number
}

/** A job for `addMany`. `data` is any JSON-serializable value, and is optional only if `Data` includes `undefined`. */
export type NewJob<Data = unknown> = JobOptions & {
  /** What kind of job it is, at most 512 bytes. */
  name: string
} & (undefined extends Data ? { data?: Data } : { data: Data })

/** The data of a job, optional only if `Data` includes `undefined`, and then its options. */
export type DataAnd<Data, Options> = undefined extends Data
  ? [data?: Data, options?: Options]
  : [data: Data, options?: Options]

/** Where a job is: it waits for a worker, for its time, is with a worker, is done, or has failed permanently. */
export type JobState = 'ready' | 'delayed' | 'active' | 'done' | 'dead'

/** What is kept of what a handler threw, of its message and stack at most 8192 characters each. */
export interface JobError {
  /** The class of the error; `'Error'` for what was none. */
  name: string
  /** What it says. */
  message: string
  /** Its `code`, if it had one: a string or a number. A job that exceeded its time has `'E_TIMEOUT'`. */
  code?: string | number
  /** Where it was thrown. */
  stack?: string
}

/** What can be done with a job wherever it comes from. */
export interface JobHandle<Result = unknown> {
  /** Its id. */
  readonly id: string
  /**
   * Waits until the job has finished, wherever it runs, and returns its result. Keeps the process alive meanwhile, and without a
   * server goes on waiting.
   *
   * A call that is pending when the job ends gets its outcome, even if the queue does not keep the job; so does one within two seconds
   * of that end, if the job finished less than a second after it was added.
   *
   * Rejects with `E_JOB_FAILED` when it is dead, with `E_JOB_GONE` when it was removed or had finished before and was not kept,
   * with `E_TIMEOUT` after `timeoutMs` milliseconds (default: none), and with `E_CLOSED` when the queue or its service is closed.
   *
   * @example
   * const job = await queue.add('resize', { file })
   * const { width } = await job.finished({ timeoutMs: 60_000 })
   */
  finished(options?: { timeoutMs?: number }): Promise<Jsonify<Result>>
}

/** A job that was added. */
export interface AddedJob<Data = unknown, Result = unknown> extends JobHandle<Result> {
  /** Whether it was. If not, there was one already, and `id` is that one's; `name` and `data` are what was given here. */
  readonly isNew: boolean
  /** What kind of job it is. */
  readonly name: string
  /** What it is about, as it was given. */
  readonly data: Data
}

/** A job as its handler gets it. */
export interface ActiveJob<Data = unknown, Result = unknown> extends JobHandle<Result> {
  /** What kind of job it is. */
  readonly name: string
  /** What it is about, after a round trip through JSON. */
  readonly data: Jsonify<Data>
  /** Always `'active'`. */
  readonly state: 'active'
  /** Which attempt this is, from 1. */
  readonly attempt: number
  /** How many there are. */
  readonly attempts: number
  /** How many workers crashed while they ran it. A crash does not use up an attempt. */
  readonly crashes: number
  /** Lower goes first. */
  readonly priority: number
  /** Its group, or `null`. */
  readonly group: string | null
  /** How long an attempt may take, in milliseconds. */
  readonly timeoutMs: number
  /** When it was added, in epoch milliseconds of the server's clock. */
  readonly createdAt: number
}

/** A job as it was when it was read; nothing of it changes by itself. Times are epoch milliseconds of the server's clock. */
export interface Job<Data = unknown, Result = unknown> extends JobHandle<Result> {
  /** What kind of job it is. */
  readonly name: string
  /** What it is about, after a round trip through JSON. */
  readonly data: Jsonify<Data>
  /** Where it is. */
  readonly state: JobState
  /** How many attempts have begun. */
  readonly attempt: number
  /** How many there are. */
  readonly attempts: number
  /** How many workers crashed while they ran it. */
  readonly crashes: number
  /** Lower goes first. */
  readonly priority: number
  /** Its group, or `null`. */
  readonly group: string | null
  /** How long an attempt may take, in milliseconds. */
  readonly timeoutMs: number
  /** What its handler said last of how far it is. */
  readonly progress: unknown
  /** What its handler answered. */
  readonly result: Jsonify<Result> | undefined
  /** What went wrong in the last attempt that failed, or `null`. */
  readonly error: JobError | null
  /** When it was added. */
  readonly createdAt: number
  /** When it may start, while it is delayed; else `null`. */
  readonly dueAt: number | null
  /** When its last attempt began, or `null`. */
  readonly startedAt: number | null
  /** When it finished, or `null`. */
  readonly finishedAt: number | null
}
