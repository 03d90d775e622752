import type { ActiveJob } from './job.js'

/** What a handler gets beside its job. May be taken apart. */
export interface JobContext {
  /**
   * Aborts when this attempt is over without the handler: its time has passed (`E_TIMEOUT`), the job was removed or is another worker's
   * by now (`E_JOB_GONE`), or the worker closes and has given it back (`E_CLOSED`). What the handler does after that changes nothing.
   */
  readonly signal: AbortSignal
  /**
   * Says how far the job is: a JSON-serializable value, at most 65,536 bytes. Sent at most every 50 ms; the latest value is kept.
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for what JSON cannot write, and what is too long.
   */
  readonly progress: (value: unknown) => void
  /**
   * Adds a line to the log of the job, of which the last 1000 are kept; after 8192 characters it is cut.
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for what is no string.
   */
  readonly log: (line: string) => void
}

/**
 * Does one attempt at a job. What it returns, as JSON, is the job's result; what it throws ends the attempt, and the next one
 * follows after the job's `backoff` unless it was the last, or an `UnrecoverableError`. A result that JSON cannot write, or
 * that is larger than `maxBytes`, ends the attempt as an error does.
 *
 * A job may be done more than once: when a process or its connection is lost after the work and before the store has heard of
 * it, it is done again.
 */
export type JobHandler<Data = unknown, Result = unknown> = (
  job: ActiveJob<Data, Result>,
  context: JobContext,
) => Result | Promise<Result>

/** At most `max` starts in any `perMs` milliseconds. */
export interface StartRate {
  /** How many, from 1 to 100,000. */
  max: number
  /** Within how many milliseconds, from 1 to a year. */
  perMs: number
}

/** How a worker works. */
export interface WorkerOptions {
  /** How many jobs it runs at once, 1 to 10,000. Default `1`. */
  concurrency?: number
  /**
   * Bounds over all workers of the queue together, in whatever process; all should say the same. They are never exceeded, and
   * cost a worker that short jobs are not taken ahead.
   */
  limits?: {
    /** At most so many jobs at once. */
    concurrency?: number
    /** At most so many starts in a time. */
    rate?: StartRate
    /** The same for each group of jobs by itself. */
    group?: {
      /** At most so many jobs of a group at once. */
      concurrency?: number
      /** At most so many starts of jobs of a group in a time. */
      rate?: StartRate
    }
  }
}

/** Somebody who runs the jobs of a queue. Keeps the process alive until it is closed. */
export interface JobWorker extends AsyncDisposable {
  /** How many jobs run here now. */
  readonly running: number
  /** Whether it takes nothing new. */
  readonly isPaused: boolean
  /** Takes nothing new; what runs goes on. Of this worker only: `queue.pause()` is for all. */
  pause(): void
  /** Takes jobs again. */
  resume(): void
  /**
   * Takes nothing new, gives back what was not begun, and waits at most `timeoutMs` (5000) for what runs. What still runs then is
   * given back to the queue, which costs it no attempt, and its `signal` aborts. Returns the ids of those jobs, and of
   * those whose end the store could not be told. May be called twice. `service.disconnect()` does the same within its
   * `drainMs`.
   */
  close(options?: { timeoutMs?: number }): Promise<ClosedWorkers>
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** What became of the jobs of workers that were closed. */
export interface ClosedWorkers {
  /** Ids of jobs that were begun and did not come to their end here. Others will do them. */
  unfinished: string[]
}

/**
 * Thrown by a handler where no other attempt would help: the job is dead at once. `instanceof` also recognises those of another
 * copy of the package in the same process.
 *
 * @example
 * if (!user) throw new UnrecoverableError(`no user ${job.data.id}`)
 */
export class UnrecoverableError extends Error {
  constructor(message?: string, options?: { cause?: unknown })
  /** Always `'UnrecoverableError'`. */
  readonly name: 'UnrecoverableError'
}
