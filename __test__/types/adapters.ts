// The stores for other libraries, with the types of those libraries.
import { betterAuth } from 'better-auth'
import { createCache } from 'cache-manager'
import { RedisService } from 'cinnabar'
import { secondaryStorage } from 'cinnabar/better-auth'
import { CinnabarStore, type CinnabarStoreOptions } from 'cinnabar/express-session'
import { CinnabarKeyvStore } from 'cinnabar/keyv'
import cinnabar, { cinnabarDriver } from 'cinnabar/unstorage'
import express from 'express'
import session, { type SessionData, Store } from 'express-session'
import Keyv, { type KeyvStoreAdapter } from 'keyv'

import { same } from './same.js'

declare module 'express-session' {
  interface SessionData {
    views?: number
  }
}

const service = new RedisService({ url: 'memory:' })

export async function forExpress(): Promise<void> {
  const options: CinnabarStoreOptions = { service, prefix: 'sess:', ttl: 60, disableTouch: true, scanCount: 10 }
  const store = new CinnabarStore(options)
  const base: Store = store
  express().use(session({ store, secret: 'secret', resave: false, saveUninitialized: false }))
  const found = await store.get('id')
  same<SessionData | null, typeof found>(true)
  if (found) await store.set('id', { ...found, views: (found.views ?? 0) + 1 })
  store.get('id', (error, data) => void [error, data?.views])
  const [first] = await store.all()
  const names: string[] = [...(await store.ids()), first.id]
  new CinnabarStore({ ttl: (each) => each.views ?? 60, serializer: JSON })
  // @ts-expect-error the option of connect-redis
  new CinnabarStore({ client: service })
  // @ts-expect-error no such option
  new CinnabarStore({ tll: 60 })
  void [base, names]
}

export function forBetterAuth(): void {
  const auth = betterAuth({ secondaryStorage: secondaryStorage(service, { prefix: 'auth:' }) })
  betterAuth({ secondaryStorage: secondaryStorage() })
  // @ts-expect-error no such option
  secondaryStorage(service, { prefx: 'auth:' })
  void auth
}

export function forKeyv(): void {
  const store: KeyvStoreAdapter = new CinnabarKeyvStore({ service, prefix: 'k:', namespace: 'a', scanCount: 10 })
  const keyv = new Keyv<string>(store, { namespace: 'b' })
  void createCache({ stores: [keyv] })
  // @ts-expect-error no such option
  new CinnabarKeyvStore({ prefx: 'k:' })
}

// The types of unstorage need those of every database that it knows, so they are not here.
export async function forUnstorage(): Promise<void> {
  const driver = cinnabarDriver({ service, base: 'app', ttl: 60, scanCount: 10 })
  const text: string | null = await driver.getItem('a')
  const left: number | undefined = (await driver.getMeta('a'))?.ttl
  const options: cinnabar.CinnabarDriverOptions = cinnabar().options
  // @ts-expect-error in seconds
  cinnabarDriver({ ttl: '1h' })
  void [text, left, options]
}
