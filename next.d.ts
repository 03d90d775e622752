import type { NextRequest } from 'next/server.js'

import type {
  KnownSessionData,
  PolicyRateLimiter,
  RateLimiter,
  RequestSession,
  SessionManager,
  WithRateLimitOptions,
} from './index.js'

/** What a server component can do with a session. It cannot set a cookie, so it cannot sign in or out. */
export type SessionView<Data extends object = KnownSessionData> = Pick<
  RequestSession<Data>,
  'data' | 'userId' | 'signedInAt' | 'isFresh' | 'devices' | 'toJSON'
>

/** The functions that `session` returns. They need no `this`. */
export interface NextSessions<Data extends object = KnownSessionData> {
  /**
   * The session of the request, to be read in a server component, or anywhere else. It sets no cookie: that of a session that was rotated is
   * set by the next action, route handler or proxy. A request with the `Origin` of another site, as a
   * forged one to a route handler has, has no session here, unless that origin is in `trustedOrigins`.
   *
   * @example
   * const session = await getSession()
   * if (session.userId === null) redirect('/login')
   */
  getSession(): Promise<SessionView<Data>>
  /**
   * The session of the request in a server action. What it does sets or removes the cookie at once, so `redirect` may follow. Next.js
   * refuses actions that another site sends; here their session is empty too, and the methods that write reject with `E_CROSS_SITE`.
   *
   * @example
   * export async function login(form: FormData) {
   *   'use server'
   *   const user = await checkPassword(form)
   *   const session = await actionSession()
   *   await session.signIn(user.id)
   *   redirect('/')
   * }
   */
  actionSession(): Promise<RequestSession<Data>>
  /**
   * Returns a route handler that passes the session to yours, and commits its response; or a proxy, with `NextResponse.next()` as the
   * response. A request from another site that may change something gets status 403; with `required`, one without a session gets 401; while
   * the server cannot be reached, 503.
   *
   * @example
   * export const DELETE = withSession(
   *   async (request, session, { params }: RouteContext<'/api/devices/[id]'>) => {
   *     const { id } = await params
   *     return Response.json({ ended: await session.revoke(id) })
   *   },
   *   { required: true },
   * )
   */
  withSession<Context = unknown>(
    handler: (request: NextRequest, session: RequestSession<Data>, context: Context) => Response | Promise<Response>,
    options?: {
      /** Whether requests without a session are refused. Default `false`. */
      required?: boolean
    },
  ): (request: NextRequest, context: Context) => Promise<Response>
}

/**
 * The sessions of an application in Next.js with the App Router, from version 15.
 *
 * They run in the Node.js runtime, which is the default, and the only one of `proxy.ts`. The addon cannot be loaded in the edge runtime: set
 * `runtime = 'nodejs'` in a route, or in the `config` of a `middleware.ts` of Next.js 15.
 *
 * @example
 * // session.ts
 * export const { getSession, actionSession, withSession } = session({ sessions: new SessionManager<{ role: string }>() })
 */
export function session<Data extends object = KnownSessionData>(options?: {
  /** Where sessions come from. Default: those of the default service. */
  sessions?: SessionManager<Data>
}): NextSessions<Data>

/**
 * Returns a route handler, or a proxy with `NextResponse.next()` as the response, that counts each request, and responds to those above the
 * limit itself: with status 429, `Retry-After` and a problem as JSON. Every response has the headers of `RateLimiter.headers`. With
 * `count: 'failures'`, a handler that throws `redirect` has not failed.
 *
 * Next.js does not pass the address of the connection on. So say by how many proxies of your own a request comes, at least 1, or who is
 * limited.
 *
 * @example
 * // proxy.ts
 * export const proxy = withRateLimit(() => NextResponse.next(), { limiter, policy: 'api', clientIp: { trustedProxies: 1 } })
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an invalid option, without either, and for a policy that the limiter does not have.
 */
export function withRateLimit<
  Args extends [request: NextRequest, ...rest: any[]],
  Limiter extends RateLimiter | PolicyRateLimiter<any> = RateLimiter,
>(
  handler: (...args: Args) => Response | Promise<Response>,
  options: WithRateLimitOptions<Limiter, Args>,
): (...args: Args) => Promise<Response>
