import { withSession } from '../../session'

/** Responds with the session of the request, or with status 401. */
export const GET = withSession((request, session) => Response.json({ session }), { required: true })
