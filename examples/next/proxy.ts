import { NextResponse } from 'next/server'
import { withSession } from './app/session'

/** Renews the cookie of a visitor who only reads: a page cannot set one. */
export const proxy = withSession(() => NextResponse.next())

export const config = { matcher: ['/', '/devices'] }
