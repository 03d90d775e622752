import type { AnyActiveJob, JobResult, ResultByName } from './jobs-by-name.js'

/** What a handler gets beside its job. Its functions work without `this`, so it may be destructured. */
export interface JobContext {
  /**
   * Aborts when this attempt is over although the handler still runs: its time has passed (`E_TIMEOUT`), the job was removed or now
   * belongs to another worker (`E_JOB_GONE`), or the worker is closing and has returned it to the queue (`E_CLOSED`). What the handler
   * returns or throws after that is ignored.
   */
  readonly signal: AbortSignal
  /**
   * Reports how far the job is: any value that JSON can represent, at most 65,536 bytes. Sent at most every 50 ms; the latest value is
   * kept.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` if JSON cannot represent the value, or if it is too long.
   */
  readonly progress: (value: unknown) => void
  /**
   * Appends a line to the job's log, which keeps the last 1000. A line is cut after 8192 characters.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` if `line` is not a string.
   */
  readonly log: (line: string) => void
}

/**
 * Runs one attempt of a job. The value that it returns is stored as JSON as the job's result. If it throws, the attempt has failed; the
 * next one follows after the job's `backoff`, unless this was the last one or the error is an `UnrecoverableError`. A result that JSON
 * cannot represent, or that exceeds `maxBytes`, fails the attempt too.
 *
 * A job may run more than once: if the process or its connection is lost after the work is done and before the store knows it, the job
 * runs again.
 */
export type JobHandler<Data = unknown, Result = ResultByName> = (
  job: AnyActiveJob<Data, Result>,
  context: JobContext,
) => JobResult<Data, Result> | Promise<JobResult<Data, Result>>

/** A rate limit: at most `max` starts in any `perMs` milliseconds. */
export interface StartRate {
  /** How many starts, from 1 to 100,000. */
  max: number
  /** The length of the window, from 1 ms to 366 days, in milliseconds. */
  perMs: number
}

/** Options of a worker. */
export interface WorkerOptions {
  /** How many jobs it runs at a time, from 1 to 10,000. Default `1`. */
  concurrency?: number
  /**
   * Limits over all workers of the queue together, in any process; give all of them the same. They are never exceeded. Their price: a
   * worker does not fetch short jobs ahead.
   */
  limits?: {
    /** How many jobs run at a time. */
    concurrency?: number
    /** How many jobs start in a window of time. */
    rate?: StartRate
    /** The same limits for each group of jobs separately. */
    group?: {
      /** How many jobs of a group run at a time. */
      concurrency?: number
      /** How many jobs of a group start in a window of time. */
      rate?: StartRate
    }
  }
}

/** A worker, which runs the jobs of a queue. Keeps the process alive until it is closed. */
export interface JobWorker extends AsyncDisposable {
  /** How many jobs it runs now. */
  readonly running: number
  /** Whether it is paused. */
  readonly isPaused: boolean
  /** Takes no new jobs; running ones continue. Pauses this worker only; `queue.pause()` pauses all. */
  pause(): void
  /** Takes jobs again. */
  resume(): void
  /**
   * Takes no new jobs, returns those that have not started to the queue, and waits for running ones for at most `timeoutMs` (5000).
   * Those that still run then are returned to the queue as well, which uses up no attempt, and their `signal` aborts. Returns the ids
   * of these jobs, and of those whose outcome could not be stored. May be called twice. `service.disconnect()` does the same within
   * its `drainMs`.
   */
  close(options?: { timeoutMs?: number }): Promise<ClosedWorkers>
  /** Calls `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** The result of closing workers. */
export interface ClosedWorkers {
  /** The ids of jobs that started here and did not finish here. Other workers will run them. */
  unfinished: string[]
}

/**
 * An error for a handler to throw if no further attempt would help: the job is dead at once. `instanceof` also recognises errors of
 * another copy of the package in the same process.
 *
 * @example
 * if (!user) throw new UnrecoverableError(`no user ${job.data.id}`)
 */
export class UnrecoverableError extends Error {
  constructor(message?: string, options?: { cause?: unknown })
  /** Always `'UnrecoverableError'`. */
  readonly name: 'UnrecoverableError'
}
