import { withSession } from '../../../session'

/** Ends the session of a device, for clients that have no page. */
export const DELETE = withSession(
  async (request, session, { params }: RouteContext<'/api/devices/[id]'>) => {
    const { id } = await params
    return Response.json({ ended: await session.revoke(id) })
  },
  { required: true },
)
