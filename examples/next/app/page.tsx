import { signIn, signOut } from './actions'
import { Call } from './call'
import { getSession } from './session'

const PROBLEMS: Record<string, string> = {
  password:
    'The name or the password is wrong: any name of up to 24 letters and digits will do, and the password is cinnabar.',
  limit: 'Too many attempts: try again in a minute.',
}

/** Signs in and out by server actions; the buttons below call route handlers. */
export default async function Page({ searchParams }: PageProps<'/'>) {
  const session = await getSession()
  const problem = PROBLEMS[String((await searchParams).problem)]
  return (
    <main>
      <h1>cinnabar in Next.js</h1>
      <p>Sessions by server actions, and route handlers that use the default service.</p>
      {session.userId === null ? (
        <form action={signIn} aria-label="Sign in">
          <input name="name" placeholder="Name" aria-label="Name" autoComplete="username" required />
          <input
            name="password"
            type="password"
            placeholder="Password: cinnabar"
            aria-label="Password"
            autoComplete="current-password"
            required
          />
          <button>Sign in</button>
          {problem && <strong className="bad">{problem}</strong>}
        </form>
      ) : (
        <form action={signOut} aria-label="Sign out">
          <span>
            Hello {session.data?.name}. <a href="/devices">Your devices</a>
          </span>
          <button>Sign out</button>
        </form>
      )}
      <Call title="Session" path="/api/session" />
      <Call title="Cached report" path="/api/cached" />
      <Call title="Invalidate the report" path="/api/cached" init={{ method: 'DELETE' }} />
      <Call title="Limited, 5 in 10 s" path="/api/limited" />
      <Call title="Locked work, 1.5 s" path="/api/lock" init={{ method: 'POST' }} />
      <Call title="Health" path="/api/health" />
      <Call title="Health of Redis" path="/api/health/redis" />
    </main>
  )
}
