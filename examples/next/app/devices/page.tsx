import { redirect } from 'next/navigation'
import { revoke, signOut, signOutEverywhere } from '../actions'
import { getSession } from '../session'

/** The devices of the user, each with a button that ends its session. */
export default async function Devices() {
  const session = await getSession()
  if (session.userId === null) redirect('/')
  const devices = await session.devices()
  return (
    <main>
      <h1>Devices of {session.data?.name}</h1>
      <p>
        Sign in with another browser, or in a private window, and reload this page. <a href="/">To the start</a>
      </p>
      {devices.map(({ publicId, session, current }) => (
        <section key={publicId}>
          <form action={revoke}>
            <input type="hidden" name="device" value={publicId} />
            <button>End</button>
          </form>
          <span>
            {current && <strong className="good">this one </strong>}since {session.createdAt.slice(0, 16)} UTC
          </span>
          <code>{session.device}</code>
        </section>
      ))}
      <form action={signOut}>
        <button>Sign out</button>
      </form>
      <form action={signOutEverywhere}>
        <button>Sign out everywhere</button>
      </form>
    </main>
  )
}
