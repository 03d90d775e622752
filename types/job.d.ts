import type { Jsonify } from './json.js'

/** Options of one job. */
export interface JobOptions {
  /** How long the job waits before it may start, in milliseconds. Default `0`. */
  delay?: number
  /** The maximum number of attempts, at most 1,000,000. Default `3`. */
  attempts?: number
  /**
   * The wait after a failed attempt: a fixed number of milliseconds, or how the waits grow. Default: 1 second, doubled after each
   * failure up to 1 hour, with a jitter of 0.2.
   */
  backoff?: number | BackoffOptions
  /** From -500 to 500; lower numbers run first, and jobs of the same priority in the order in which they were added. Default `0`. */
  priority?: number
  /**
   * The job's id, at most 512 bytes. If the queue has a job with this id, in any state, nothing is added and that job is returned.
   * Default: a unique id.
   */
  id?: string
  /**
   * The deduplication id. While another job with the same one has not finished, or was added less than `ttlMs` milliseconds ago,
   * nothing is added and that job is returned.
   */
  dedup?:
    | string
    | {
        /** The deduplication id. */
        id: string
        /** How long the id stays taken at least, from when its job was added, in milliseconds. Default: until that job has finished. */
        ttlMs?: number
      }
  /**
   * How long an attempt may take, in milliseconds. After that it has failed and its `signal` aborts, whatever the handler does, even
   * if it blocks the event loop. Default 30 minutes.
   */
  timeoutMs?: number
  /** Whether the job is kept once it is done, within the bounds of the queue. A dead job is kept in any case. Default `true`. */
  keep?: boolean
  /** The group whose limits apply to the job, at most 512 bytes: a tenant, or a host that the handler calls. */
  group?: string
}

/** How the waits between attempts grow. */
export interface BackoffOptions {
  /** Whether each wait is as long as the first, or twice as long as the one before. Default `'exponential'`. */
  type?: 'fixed' | 'exponential'
  /** The first wait, in milliseconds. Default `1000`. */
  delayMs?: number
  /** The longest wait, in milliseconds. Default 1 hour. */
  maxMs?: number
  /** The random part of a wait, from 0 to 1: with `0.2` it is up to a fifth shorter or longer. Default `0.2`. */
  jitter?: number
}

/** A job for `addMany`. `data` is any value that JSON can represent, and is optional only if `Data` includes `undefined`. */
export type NewJob<Data = unknown, Name extends string = string> = JobOptions & {
  /** What kind of job it is, at most 512 bytes. */
  name: Name
} & (undefined extends Data ? { data?: Data } : { data: Data })

/** The data of a job, optional only if `Data` includes `undefined`, followed by options. */
export type DataAnd<Data, Options> = undefined extends Data
  ? [data?: Data, options?: Options]
  : [data: Data, options?: Options]

/**
 * The state of a job: waiting for a worker, waiting for its time, with a worker, done, or dead: its last attempt failed, or another
 * would not have helped.
 */
export type JobState = 'ready' | 'delayed' | 'active' | 'done' | 'dead'

/** What the store keeps of an error that a handler threw. Message and stack are cut after 8192 characters each. */
export interface JobError {
  /** The error's class; `'Error'` if the handler threw something that is not an error. */
  name: string
  /** The error's message. */
  message: string
  /** The error's `code`, if it is a string or a number. A job that exceeded its time has `'E_TIMEOUT'`. */
  code?: string | number
  /** The error's stack. */
  stack?: string
}

/** What all forms of a job have in common. */
export interface JobHandle<Result = unknown> {
  /** The job's id. */
  readonly id: string
  /**
   * Waits until the job has finished, in any process, and returns its result. Keeps the process alive meanwhile, and keeps waiting
   * while the server is unavailable.
   *
   * A call that is pending when the job finishes gets its result, even if the queue does not keep the job; so does a call within two
   * seconds of that, if the job finished less than a second after it was added.
   *
   * Rejects with `E_JOB_FAILED` if the job is dead, with `E_JOB_GONE` if it was removed, or had finished before and was not kept,
   * with `E_TIMEOUT` after `timeoutMs` milliseconds (default: no limit), with `E_ABORTED` when `signal` aborts,
   * and with `E_CLOSED` when the queue or its service is closed.
   *
   * @example
   * const job = await queue.add('resize', { file })
   * const { width } = await job.finished({ timeoutMs: 60_000 })
   */
  finished(options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<Jsonify<Result>>
}

/** A job as `add` returns it. */
export interface AddedJob<Data = unknown, Result = unknown, Name extends string = string> extends JobHandle<Result> {
  /** Whether it was added. If not, `id` is the id of the job that existed; `name` and `data` are the arguments of this call. */
  readonly isNew: boolean
  /** What kind of job it is. */
  readonly name: Name
  /** The job's data, as passed to `add`. */
  readonly data: Data
}

/** A job as its handler gets it. */
export interface ActiveJob<Data = unknown, Result = unknown, Name extends string = string> extends JobHandle<Result> {
  /** What kind of job it is. */
  readonly name: Name
  /** The job's data after a round trip through JSON. */
  readonly data: Jsonify<Data>
  /** Always `'active'`. */
  readonly state: 'active'
  /** Which attempt this is, counted from 1. */
  readonly attempt: number
  /** The maximum number of attempts. */
  readonly attempts: number
  /** How many workers crashed while they ran the job. A crash does not use up an attempt. */
  readonly crashes: number
  /** The job's priority; lower numbers run first. */
  readonly priority: number
  /** The job's group, or `null`. */
  readonly group: string | null
  /** How long an attempt may take, in milliseconds. */
  readonly timeoutMs: number
  /** When the job was added, by the server's clock, in milliseconds since 1970. A session's `createdAt` is an ISO 8601 time. */
  readonly createdAt: number
}

/** A snapshot of a job. All times are by the server's clock, in milliseconds since 1970. */
export interface Job<Data = unknown, Result = unknown, Name extends string = string> extends JobHandle<Result> {
  /** What kind of job it is. */
  readonly name: Name
  /** The job's data after a round trip through JSON. */
  readonly data: Jsonify<Data>
  /** The job's state. */
  readonly state: JobState
  /** How many attempts have started. */
  readonly attempt: number
  /** The maximum number of attempts. */
  readonly attempts: number
  /** How many workers crashed while they ran the job. */
  readonly crashes: number
  /** The job's priority; lower numbers run first. */
  readonly priority: number
  /** The job's group, or `null`. */
  readonly group: string | null
  /** How long an attempt may take, in milliseconds. */
  readonly timeoutMs: number
  /** The latest progress that the handler reported. */
  readonly progress: unknown
  /** What the handler returned. */
  readonly result: Jsonify<Result> | undefined
  /** The error of the last failed attempt, or `null`. */
  readonly error: JobError | null
  /** When the job was added, in milliseconds since 1970. A session's `createdAt` is an ISO 8601 time. */
  readonly createdAt: number
  /** When the job may start, in milliseconds since 1970; `null` unless it is delayed. */
  readonly dueAt: number | null
  /** When the last attempt started, in milliseconds since 1970, or `null`. */
  readonly startedAt: number | null
  /** When the job finished, in milliseconds since 1970, or `null`. */
  readonly finishedAt: number | null
}
