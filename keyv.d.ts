import type { EventEmitter } from 'node:events'

import type { RedisService } from './index.js'

export interface CinnabarKeyvStoreOptions {
  /** Where values are stored. Default: the default service. */
  service?: RedisService
  /**
   * What all keys begin with. Must not overlap with that of anything else on the store: `E_INVALID_SETTINGS`. With `''`, keys are those of @keyv/redis, and
   * `clear()` and `iterator()` need a namespace. Default `'keyv:'`.
   */
  prefix?: string
  /** The namespace, which Keyv sets to its own. Default: none. */
  namespace?: string
  /** How many keys the server visits at once in `clear()` and `iterator()`, from 1 to 1,000,000. Default 100. */
  scanCount?: number
}

/**
 * A storage adapter for Keyv 5 and 6, and so for what takes a Keyv: cache-manager, cacheable. Keyv's JSON is stored as a text under
 * `{prefix}{namespace}::{key}`, with the ttl as that of the key. Any text is a key, and stands for itself.
 *
 * - With Keyv 6 it takes absolute times: it has the capability `expires`. With Keyv 5 it takes a ttl in milliseconds.
 * - Without a namespace it is about all keys under the prefix, those of namespaces too: these are keys like `{namespace}::{key}`. Each Keyv needs a
 *   store of its own, since it sets the namespace.
 * - Keyv 5 puts its namespace before the keys itself. With `useKeyPrefix: false` it leaves that to this store.
 * - Errors go to Keyv, which emits `error`: of this package, with a `code`.
 *
 * @example
 * import { CinnabarKeyvStore } from 'cinnabar/keyv'
 * import Keyv from 'keyv'
 *
 * const keyv = new Keyv({ store: new CinnabarKeyvStore(), namespace: 'users', useKeyPrefix: false })
 * keyv.on('error', (error) => console.error(error))
 * await keyv.set('ada', { name: 'Ada' }, 60_000)
 */
export class CinnabarKeyvStore extends EventEmitter {
  /** @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, `E_INVALID_SETTINGS` for a prefix that overlaps. */
  constructor(options?: CinnabarKeyvStoreOptions)
  listeners(event: string | symbol): ((...args: any[]) => void)[]
  rawListeners(event: string | symbol): ((...args: any[]) => void)[]
  /** Set by Keyv. */
  namespace: string | undefined
  /** What Keyv 5 asks for before it iterates. */
  opts: any
  /** What Keyv 6 asks for. From then on, `set` and `setMany` take the time at which a value expires, and `deleteMany` resolves to a list. */
  get capabilities(): {
    compatible: boolean
    store: 'keyvStorage'
    methods: any
    expires: true
  }
  /** Resolves to what was stored: a string, or a `Buffer` for bytes. */
  get(key: string): Promise<any>
  /** The same of many, in one round. What is no text is `undefined`. */
  getMany(keys: string[]): Promise<any[]>
  has(key: string): Promise<boolean>
  hasMany(keys: string[]): Promise<boolean[]>
  /**
   * Stores a string or bytes. `time` is a ttl in ms (Keyv 5) or the time in ms since 1970 at which it expires (Keyv 6). What has expired already is deleted.
   */
  set(key: string, value: any, time?: number): Promise<boolean>
  /** The same of many, in one round; for each whether it was stored. If some fail, `error` is emitted, and if all do, it rejects. */
  setMany(entries: { key: string; value: any; ttl?: number; expires?: number }[]): Promise<any>
  /** Resolves to whether there was a value. */
  delete(key: string): Promise<boolean>
  /** The same of many: whether there was any (Keyv 5), or one result for each (Keyv 6). */
  deleteMany(keys: string[]): Promise<any>
  /** Deletes all values of the namespace, by `SCAN`, which visits every key of the database. */
  clear(): Promise<void>
  /** Yields the keys and values of the namespace, by `SCAN`. Values that change meanwhile may be among them or not. Keys above 32 KiB are left out. */
  iterator(): AsyncGenerator<[string, any], void>
  /** Does nothing: the service belongs to the application. */
  disconnect(): Promise<void>
}
