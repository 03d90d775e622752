/**
 * What `JSON.stringify` can write; the features keep values in this form. As there, dates become strings, an object with `toJSON`
 * becomes what that returns, fields that are functions or `undefined` are left out, and `NaN`, infinities and what is `undefined` in
 * an array become `null`. Where JSON would lose contents, a call rejects with `E_INVALID_ARGUMENT`, which says where in the value, and
 * nothing is sent: a `BigInt`, bytes, a `Map`, `Set`, `RegExp`, `Error` or `Promise`, an instance of a class (`Response`,
 * `URLSearchParams`, one of your own) without own fields, a function in an array, and a `toJSON` that returns one of these,
 * `undefined` or a function.
 */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }

/**
 * `T` if it is an object with fields, which JSON preserves; `never` for an array, a function, `Map`, `Set`, `Date`, bytes and the
 * like, whose contents JSON would lose.
 */
export type Fields<T extends object> = T extends
  | readonly unknown[]
  | ((...args: never) => unknown)
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | Date
  | RegExp
  | Error
  | PromiseLike<unknown>
  | ArrayBufferLike
  | ArrayBufferView
  ? never
  : T

/**
 * The type of a value after a round trip through JSON: a `Date` becomes a string, an object with `toJSON` becomes what that
 * returns, and fields that JSON omits (functions, symbols, `undefined`) are missing. Values that cannot be stored (`Map`, `Set`,
 * `RegExp`, `Error`, `Promise`, bytes, `bigint`) are `never`. A type that JSON preserves, such as Prisma's `JsonValue`, is itself.
 *
 * @example
 * type Stored = Jsonify<{ id: number; at: Date }> // { id: number; at: string }
 *
 * function cached<T>(key: string, load: () => Promise<T>): Promise<Jsonify<T>> {
 *   return ApiCache.getOrSet(key, load)
 * }
 */
export type Jsonify<T> = 0 extends 1 & T
  ? T
  : unknown extends T
    ? unknown
    : T extends Json
      ? T
      : T extends { toJSON(...args: never[]): infer Json }
        ? T extends ArrayBuffer | ArrayBufferView
          ? never
          : Jsonify<Json>
        : T extends bigint | Unkept
          ? never
          : T extends NoJson
            ? undefined
            : T extends readonly unknown[]
              ? T[number][] extends T
                ? T extends unknown[]
                  ? Item<T[number]>[]
                  : readonly Item<T[number]>[]
                : { [Index in keyof T]: Item<T[Index]> }
              : T extends object
                ? { [Name in keyof T as Kept<Name, T[Name]>]: Field<T[Name]> }
                : never

/**
 * `T` if JSON can write it; `never` if it is, or may be, `undefined`, a function, a symbol, a `bigint`, bytes, a `Map`, `Set`, `RegExp`,
 * `Error` or `Promise`. What is within an object, and what a type parameter stands for, is checked when the call is made.
 */
export type JsonInput<T> = Verdict<T> extends 'refused' ? never : T

// The brackets let a type parameter pass, so that a generic function can hand its argument on.
type Verdict<T> = [0] extends [1 & T]
  ? 'kept'
  : [unknown] extends [T]
    ? 'kept'
    : [Unfit<T>] extends [never]
      ? 'kept'
      : 'refused'
type Unfit<T> = T extends ArrayBufferView
  ? T
  : T extends { toJSON(...args: never[]): unknown }
    ? never
    : T extends NoJson | bigint | Unkept
      ? T
      : never

type Unkept =
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | WeakMap<object, unknown>
  | WeakSet<object>
  | RegExp
  | Error
  | Promise<unknown>
  | ArrayBuffer
  | ArrayBufferView
type NoJson = undefined | void | symbol | ((...args: never[]) => unknown)
/** In an array, values that JSON omits become `null`. */
type Item<T> = 0 extends 1 & T ? T : unknown extends T ? unknown : T extends NoJson ? null : Jsonify<T>
/** A field whose value JSON may omit is optional. */
type Field<T> = 0 extends 1 & T ? T : unknown extends T ? unknown : Jsonify<T>
type Kept<Name, T> = Name extends symbol ? never : 0 extends 1 & T ? Name : [T] extends [NoJson] ? never : Name

// Nothing else is exported.
export {}
