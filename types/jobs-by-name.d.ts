import type { ActiveJob, AddedJob, Job, NewJob } from './job.js'
import type { Fields } from './json.js'
import type { Repeat } from './queue.js'

/** The default of a queue's `Result`: declared with its jobs, by name; otherwise unknown. */
export interface ResultByName {
  readonly 'declared by name': never
}

/**
 * The jobs of a queue: `{ data, result }` by name. Of a queue without names in its type, any name has the same `data` and `result`.
 *
 * `Data` declares jobs by name if no `Result` is given beside it, and each of its properties is required and is an object with fields
 * or `undefined`. Anything else is the data of every job.
 */
export type JobTypes<Data, Result = ResultByName> = [IsDefault<Result>] extends [true]
  ? [IsByName<Data>] extends [true]
    ? { [Name in keyof Data & string]: JobType<Data[Name]> }
    : { [name: string]: { data: Data; result: unknown } }
  : { [name: string]: { data: Data; result: Result } }

/** The names that jobs of a queue may have. */
export type JobName<Data, Result = ResultByName> = keyof JobTypes<Data, Result> & string

/** The data of the jobs with this name. */
export type JobData<Data, Result, Name> = Part<JobTypes<Data, Result>, Name, 'data'>

/** The result of the jobs with this name; of all jobs if no name is given. */
export type JobResult<Data, Result = ResultByName, Name = JobName<Data, Result>> = Part<
  JobTypes<Data, Result>,
  Name,
  'result'
>

/** What `add` returns for a name. */
export type AddedJobOf<Data, Result, Name extends string> = AddedJob<
  JobData<Data, Result, Name>,
  JobResult<Data, Result, Name>,
  string extends JobName<Data, Result> ? string : Name
>

/** Any job of a queue that is to be added. If jobs are declared by name, `name` decides what `data` is. */
export type AnyNewJob<Data, Result = ResultByName> = {
  [Name in JobName<Data, Result>]: NewJob<JobData<Data, Result, Name>, Name>
}[JobName<Data, Result>]

/** Any job of a queue that was added. */
export type AnyAddedJob<Data, Result = ResultByName> = {
  [Name in JobName<Data, Result>]: AddedJobOf<Data, Result, Name>
}[JobName<Data, Result>]

/** Any job of a queue, as its handler gets it. If jobs are declared by name, comparing `name` narrows `data`. */
export type AnyActiveJob<Data, Result = ResultByName> = {
  [Name in JobName<Data, Result>]: ActiveJob<JobData<Data, Result, Name>, JobResult<Data, Result, Name>, Name>
}[JobName<Data, Result>]

/** Any job of a queue, as it is read. */
export type AnyJob<Data, Result = ResultByName> = {
  [Name in JobName<Data, Result>]: Job<JobData<Data, Result, Name>, JobResult<Data, Result, Name>, Name>
}[JobName<Data, Result>]

/** Any repeat of a queue. */
export type AnyRepeat<Data, Result = ResultByName> = {
  [Name in JobName<Data, Result>]: Repeat<JobData<Data, Result, Name>, Name>
}[JobName<Data, Result>]

type Part<Jobs, Name, Key extends 'data' | 'result'> = Name extends keyof Jobs
  ? Jobs[Name] extends { [Own in Key]: infer Type }
    ? Type
    : never
  : never

type JobType<Declared> = Declared extends { data: infer Data }
  ? keyof Declared extends 'data' | 'result'
    ? { data: Data; result: Declared extends { result: infer Result } ? Result : unknown }
    : { data: Declared; result: unknown }
  : { data: Declared; result: unknown }

type IsAny<T> = 0 extends 1 & T ? true : false
type IsDefault<Result> =
  IsAny<Result> extends true ? false : [Result] extends [never] ? false : [Result] extends [ResultByName] ? true : false

type IsByName<Data> =
  IsAny<Data> extends true
    ? false
    : [Data] extends [object]
      ? [keyof Data] extends [never]
        ? false
        : [keyof Data] extends [string]
          ? string extends keyof Data
            ? false
            : { [Name in keyof Data]-?: IsDeclaration<Data, Name> }[keyof Data]
          : false
      : false

type IsDeclaration<Data, Name extends keyof Data> =
  IsAny<Data[Name]> extends true
    ? false
    : {} extends Pick<Data, Name>
      ? false
      : [Data[Name]] extends [undefined]
        ? true
        : [Data[Name]] extends [object | undefined]
          ? Exclude<Data[Name], undefined> extends infer Own extends object
            ? [Own] extends [Fields<Own>]
              ? true
              : false
            : false
          : false

// Nothing else is exported.
export {}
