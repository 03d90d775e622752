import { withSession } from '../../../sessions'

type Context = { params: Promise<{ name: string }> }

export const POST = withSession(async (request, session, { params }: Context) => {
  const { name } = await params
  await session.signIn(name, { role: request.nextUrl.searchParams.get('role') ?? 'guest' })
  return Response.redirect(new URL('/session', request.url), 303)
})

export const GET = withSession((request, session) => Response.json(session.data?.role), { required: true })
