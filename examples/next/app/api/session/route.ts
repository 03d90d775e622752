import { cookies } from 'next/headers'
import { SessionManager } from 'cinnabar'

const COOKIE = 'cinnabar_next'
const DAY_SECONDS = 86_400

type Data = { name: string }

const sessions = new SessionManager<Data>()

/** Responds with the session of the request, or `null`. */
export async function GET() {
  const id = (await cookies()).get(COOKIE)?.value
  return Response.json({ session: id ? await sessions.getSession(id) : null })
}

/** Signs in: `{ "name": "Ada" }`. Any name is accepted: checking a password is up to the application. */
export async function POST(request: Request) {
  const body: unknown = await request.json().catch(() => null)
  const name = (body as Partial<Data> | null)?.name
  if (typeof name !== 'string' || !/^[\p{L}\p{N} ._-]{1,24}$/u.test(name)) {
    return Response.json({ error: 'Give a name of up to 24 letters and digits.' }, { status: 400 })
  }
  const id = await sessions.createSession(name.toLowerCase(), { name })
  const secure = new URL(request.url).protocol === 'https:'
  const options = { httpOnly: true, sameSite: 'lax', secure, path: '/', maxAge: DAY_SECONDS } as const
  const jar = await cookies()
  jar.set(COOKIE, id, options)
  return Response.json({ session: await sessions.getSession(id) })
}

/** Signs out. */
export async function DELETE() {
  const jar = await cookies()
  const id = jar.get(COOKIE)?.value
  jar.delete(COOKIE)
  return Response.json({ destroyed: id ? await sessions.destroySession(id) : 0 })
}
