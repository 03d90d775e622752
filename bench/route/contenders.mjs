/** The protected route with each library: `open(address)` resolves to `{ signIn, handle, close }`, both for Node's `http`. */
import { createRequire } from 'node:module'

/** What the route sends: 50 bytes. */
export const BODY = JSON.stringify({ ok: true, text: 'x'.repeat(29) })

/** What a session has beside the id of its user. */
const DATA = {
  role: 'admin',
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  locale: 'en-GB',
  permissions: ['read', 'write', 'publish'],
}
const DAY_SECONDS = 86_400
const SECRET = 'a secret of this bench, which is long enough'

const load = createRequire(import.meta.url)

/** In the order of the tables; `peer` is what cinnabar is compared with. */
export const contenders = {
  none: { title: 'no session', open: async () => ({ signIn: send, handle: send, close() {} }) },
  cinnabar: { title: 'cinnabar, `fromRequest`', open: (address) => openCinnabar(address, {}) },
  'cinnabar-rolling': {
    title: 'cinnabar, `fromRequest`, rolling',
    open: (address) => openCinnabar(address, { rolling: true }),
  },
  'cinnabar-express-session': { title: 'express-session, cinnabar/express-session', open: openCinnabarStore },
  'cinnabar-better-auth': { title: 'better-auth, cinnabar/better-auth', open: openCinnabarStorage },
  'connect-redis-ioredis': {
    title: 'express-session, connect-redis 8, ioredis',
    peer: 'express-session',
    open: openStoreOnIoredis,
  },
  'connect-redis-node-redis': {
    title: 'express-session, connect-redis 10, node-redis',
    peer: 'express-session',
    open: openStoreOnNodeRedis,
  },
  'better-auth': { title: 'better-auth, its redis-storage, ioredis', peer: 'better-auth', open: openStorageOnIoredis },
}

function send(request, response) {
  response.setHeader('content-type', 'application/json')
  // As `send` of Express does; express-session would otherwise send chunks.
  response.setHeader('content-length', BODY.length)
  response.end(BODY)
}

function refuse(response) {
  response.statusCode = 401
  response.end()
}

async function connectCinnabar({ url }) {
  const { RedisService } = load('../..')
  const service = new RedisService({ url })
  await service.connect()
  return { service, close: () => service.disconnect() }
}

async function openCinnabar(address, options) {
  const { SessionManager } = load('../..')
  const { service, close } = await connectCinnabar(address)
  const sessions = new SessionManager(service, options)
  return {
    async signIn(request, response, user) {
      const session = await sessions.fromRequest(request)
      await session.signIn(user, DATA)
      session.commit(response)
      send(request, response)
    },
    async handle(request, response) {
      const session = await sessions.fromRequest(request)
      if (session.userId === null) return refuse(response)
      session.commit(response)
      send(request, response)
    },
    close,
  }
}

async function openCinnabarStore(address) {
  const { CinnabarStore } = load('../../express-session.js')
  const { service, close } = await connectCinnabar(address)
  // The copy that the store extends.
  const session = createRequire(load.resolve('../../express-session.js'))('express-session')
  return withExpressSession(session, new CinnabarStore({ service }), close)
}

async function openStoreOnIoredis({ host, port }) {
  const [{ Redis }, { RedisStore }] = await Promise.all([import('ioredis'), import('connect-redis-8')])
  const client = new Redis({ host, port })
  return withExpressSession(load('express-session'), new RedisStore({ client }), () => client.quit())
}

async function openStoreOnNodeRedis({ url }) {
  const [{ createClient }, { RedisStore }] = await Promise.all([import('redis'), import('connect-redis')])
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  return withExpressSession(load('express-session'), new RedisStore({ client }), () => client.close())
}

function withExpressSession(session, store, close) {
  const cookie = { maxAge: DAY_SECONDS * 1000 }
  const middleware = session({ store, secret: SECRET, resave: false, saveUninitialized: false, rolling: true, cookie })
  return {
    signIn(request, response, user) {
      middleware(request, response, (error) => {
        if (error) throw error
        Object.assign(request.session, { userId: user, ...DATA })
        send(request, response)
      })
    },
    handle(request, response) {
      middleware(request, response, (error) => {
        if (error) throw error
        if (request.session.userId === undefined) refuse(response)
        else send(request, response)
      })
    },
    close,
  }
}

async function openCinnabarStorage(address) {
  const { secondaryStorage } = load('../../better-auth.js')
  const { service, close } = await connectCinnabar(address)
  return withBetterAuth(secondaryStorage(service), close)
}

async function openStorageOnIoredis({ host, port }) {
  const [{ Redis }, { redisStorage }] = await Promise.all([import('ioredis'), import('@better-auth/redis-storage')])
  const client = new Redis({ host, port })
  return withBetterAuth(redisStorage({ client }), () => client.quit())
}

async function withBetterAuth(secondaryStorage, close) {
  const [{ betterAuth }, { memoryAdapter }, { fromNodeHeaders }] = await Promise.all([
    import('better-auth'),
    import('better-auth/adapters/memory'),
    import('better-auth/node'),
  ])
  const auth = betterAuth({
    baseURL: 'http://127.0.0.1',
    secret: SECRET,
    database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
    secondaryStorage,
    // Signing in is not measured.
    emailAndPassword: { enabled: true, password: { hash: async (text) => text, verify: async () => true } },
    telemetry: { enabled: false },
  })
  return {
    async signIn(request, response, user) {
      const body = { name: DATA.name, email: `${user}@example.com`, password: 'a password' }
      const signedUp = await auth.api.signUpEmail({ body, asResponse: true })
      response.setHeader('set-cookie', signedUp.headers.getSetCookie())
      send(request, response)
    },
    async handle(request, response) {
      const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) })
      if (session === null) return refuse(response)
      send(request, response)
    },
    close,
  }
}
