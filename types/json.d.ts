/**
 * A value that JSON can represent; the features store values in this form. As with `JSON.stringify`, dates become strings, an object
 * with `toJSON` becomes what that returns, fields that are functions or `undefined` are left out, and `NaN`, infinities and `undefined`
 * in an array become `null`. If JSON would lose contents, the call rejects with `E_INVALID_ARGUMENT`, whose message says where in the
 * value, and nothing is sent: for a `BigInt`, bytes, a `Map`, `Set`, `RegExp`, `Error` or `Promise`, an instance of a class (`Response`,
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
 * `RegExp`, `Error`, `Promise`, bytes, `bigint`) are `never`. A type that JSON preserves, such as Prisma's `JsonValue`, is unchanged, and so is `any`.
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
        : T extends bigint | LostByJson
          ? never
          : T extends OmittedByJson
            ? undefined
            : T extends readonly unknown[]
              ? T[number][] extends T
                ? T extends unknown[]
                  ? Item<T[number]>[]
                  : readonly Item<T[number]>[]
                : { [Index in keyof T]: Item<T[Index]> }
              : T extends object
                ? { [Name in keyof T as StoredName<Name, T[Name]>]: Field<T[Name]> }
                : never

/**
 * `T` if JSON can represent it; `never` if it is, or may be, `undefined`, a function, a symbol, a `bigint`, bytes, a `Map`, `Set`,
 * `RegExp`, `Error` or `Promise`. The fields of an object, and a type parameter, are checked when the call is made.
 */
export type JsonInput<T> = Acceptance<T> extends 'rejected' ? never : T

// The brackets let a type parameter pass, so that a generic function can pass its argument on.
type Acceptance<T> = [0] extends [1 & T]
  ? 'accepted'
  : [unknown] extends [T]
    ? 'accepted'
    : [Unrepresentable<T>] extends [never]
      ? 'accepted'
      : 'rejected'
type Unrepresentable<T> = T extends ArrayBufferView
  ? T
  : T extends { toJSON(...args: never[]): unknown }
    ? never
    : T extends OmittedByJson | bigint | LostByJson
      ? T
      : never

type LostByJson =
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | WeakMap<object, unknown>
  | WeakSet<object>
  | RegExp
  | Error
  | Promise<unknown>
  | ArrayBuffer
  | ArrayBufferView
type OmittedByJson = undefined | void | symbol | ((...args: never[]) => unknown)
/** In an array, values that JSON omits become `null`. */
type Item<T> = 0 extends 1 & T ? T : unknown extends T ? unknown : T extends OmittedByJson ? null : Jsonify<T>
/** A field whose value JSON may omit is optional. */
type Field<T> = 0 extends 1 & T ? T : unknown extends T ? unknown : Jsonify<T>
type StoredName<Name, T> = Name extends symbol
  ? never
  : 0 extends 1 & T
    ? Name
    : [T] extends [OmittedByJson]
      ? never
      : Name

/** `T` with everything in it readonly, as a deeply frozen value is. */
export type Frozen<T> = 0 extends 1 & T
  ? T
  : T extends readonly unknown[] | object
    ? { readonly [Name in keyof T]: Frozen<T[Name]> }
    : T

// Nothing else is exported.
export {}
