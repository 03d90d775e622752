import { Call } from './call'

const json = { 'Content-Type': 'application/json' }

/** Built once by `next build`; only its buttons call the route handlers. */
export default function Page() {
  return (
    <main>
      <h1>cinnabar in Next.js</h1>
      <p>Route handlers that use the default service. Each button sends one request and shows the response.</p>
      <Call title="Sign in" path="/api/session" init={{ method: 'POST', headers: json, body: '{"name":"Ada"}' }} />
      <Call title="Session" path="/api/session" />
      <Call title="Sign out" path="/api/session" init={{ method: 'DELETE' }} />
      <Call title="Cached report" path="/api/cached" />
      <Call title="Invalidate the report" path="/api/cached" init={{ method: 'DELETE' }} />
      <Call title="Limited, 5 in 10 s" path="/api/limited" />
      <Call title="Locked work, 1.5 s" path="/api/lock" init={{ method: 'POST' }} />
      <Call title="Health" path="/api/health" />
      <Call title="Health of Redis" path="/api/health/redis" />
    </main>
  )
}
