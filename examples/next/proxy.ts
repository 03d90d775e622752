import { NextResponse } from 'next/server'
import { withSession } from './app/session'

/** Sets the cookie of a visitor who only reads, if the token was rotated: a page cannot set one. */
export const proxy = withSession(() => NextResponse.next())

export const config = { matcher: ['/', '/devices'] }
