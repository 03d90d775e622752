import { healthCheck } from 'cinnabar'
import { NextResponse } from 'next/server'

// Next.js bundles it together with the cache handlers. Next.js 15 calls it `middleware.js`, and runs it in the edge runtime.
export default function proxy() {
  const response = NextResponse.next()
  response.headers.set('x-proxy', typeof healthCheck)
  return response
}
