import type { RedisService } from './index.js'

/**
 * A driver for unstorage: texts under `unstorage:{key}`. Any text is a key, and stands for itself.
 *
 * - Bytes of `setItemRaw` come back whole from `getItemRaw`, as a `Buffer`: any buffer, and any view of one. They are stored as `base64:…`, as unstorage
 *   writes them with its own Redis driver.
 * - `setItem`, `setItems` and `setItemRaw` take `{ ttl }` in seconds. `getMeta` has the remaining `ttl` in seconds.
 * - `getKeys` and `clear` use `SCAN`, which visits every key of the database.
 * - `dispose` leaves the service connected, since it belongs to the application.
 *
 * @example
 * import { cinnabarDriver } from 'cinnabar/unstorage'
 * import { createStorage } from 'unstorage'
 *
 * const storage = createStorage({ driver: cinnabarDriver({ base: 'app', ttl: 3600 }) })
 * await storage.setItem('users:ada', { name: 'Ada' }, { ttl: 60 })
 *
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, `E_INVALID_SETTINGS` for a base that overlaps with what anything else on the
 * store has before its keys.
 */
declare function cinnabarDriver(options?: cinnabarDriver.CinnabarDriverOptions): cinnabarDriver.CinnabarDriver

declare namespace cinnabarDriver {
  export interface CinnabarDriverOptions {
    /** Where items are stored. Default: the default service. */
    service?: RedisService
    /**
     * What stands before all keys, with a colon between. With `''`, keys have nothing before them, and `getKeys` and `clear` need a base. Default
     * `'unstorage'`.
     */
    base?: string
    /** The ttl of items that are set without one, in seconds. Default: none. */
    ttl?: number
    /** How many keys the server visits at once in `getKeys` and `clear`, from 1 to 1,000,000. Default 100. */
    scanCount?: number
  }

  export interface ItemOptions {
    /** In seconds; `0` for none. Default: that of the driver. */
    ttl?: number
    [option: string]: any
  }

  export interface CinnabarDriver {
    name: string
    flags: { ttl: true }
    options: CinnabarDriverOptions
    getInstance(): RedisService
    hasItem(key: string): Promise<boolean>
    getItem(key: string): Promise<string | null>
    /** In one round. What is no text is `null`. */
    getItems(items: { key: string }[]): Promise<{ key: string; value: string | null }[]>
    /** Resolves to a `Buffer` for what was stored as bytes, otherwise to a string. */
    getItemRaw(key: string): Promise<any>
    setItem(key: string, value: string, options?: ItemOptions): Promise<void>
    /** In one round. The options of an item stand before those of all. */
    setItems(items: { key: string; value: string; options?: ItemOptions }[], options?: ItemOptions): Promise<void>
    /** Takes a string, a buffer or a view of one. */
    setItemRaw(key: string, value: any, options?: ItemOptions): Promise<void>
    removeItem(key: string): Promise<void>
    /** All keys that begin with `base`, by `SCAN`, without those above 32 KiB. */
    getKeys(base?: string): Promise<string[]>
    /** Deletes the items whose keys begin with `base`, by `SCAN`. */
    clear(base?: string): Promise<void>
    /** The remaining ttl in seconds, if there is one; `null` without such an item. */
    getMeta(key: string): Promise<{ ttl?: number } | null>
    dispose(): void
  }

  export { cinnabarDriver }
}

export = cinnabarDriver
