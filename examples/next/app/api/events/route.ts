import { onChange } from '../../devices/changes'
import { sessions, withSession } from '../../session'

/** A stream with an event for each change of the user's devices. It ends with the session. */
export const GET = withSession(
  async (request, session) => {
    const { readable, writable } = new TextEncoderStream()
    const writer = writable.getWriter()
    const changes = await onChange(session.userId!, async () => {
      const { data } = await sessions.fromRequest(request)
      await writer.write('data: changed\n\n')
      if (data === null) await writer.close()
    })
    // Closed by the line above, or because the client has left.
    writer.closed.catch(() => {}).finally(() => changes.close())
    // Sent at once, so that the client knows that the stream is open.
    writer.write(':\n\n').catch(() => {})
    return new Response(readable, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } })
  },
  { required: true },
)
