import { redirect } from 'next/navigation'
import { signOut } from '../actions'
import { getSession } from '../session'
import { revoke, signOutEverywhere } from './actions'
import { Live } from './live'

/** The devices of the user, each with a button that ends its session. */
export default async function Devices() {
  const session = await getSession()
  if (session.userId === null) redirect('/')
  const devices = await session.devices()
  return (
    <main>
      <Live />
      <h1>Devices of {session.data?.name}</h1>
      <p>
        Sign in with another browser, or in a private window: this list shows it at once. <a href="/">To the start</a>
      </p>
      {devices.map(({ publicId, session, current }) => (
        <section key={publicId}>
          <form action={revoke}>
            <input type="hidden" name="device" value={publicId} />
            <button>End</button>
          </form>
          <span>
            {current && <strong className="good">this one </strong>}since {session.createdAt.slice(11, 16)} UTC
          </span>
          <code>{session.device}</code>
        </section>
      ))}
      <div className="actions">
        <form action={signOut}>
          <button>Sign out</button>
        </form>
        <form action={signOutEverywhere}>
          <button>Sign out everywhere</button>
        </form>
      </div>
    </main>
  )
}
