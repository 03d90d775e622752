import { clientIp } from 'cinnabar'

// The number of your own proxies in front of the app. A route handler does not see the address of the connection, so without a proxy
// clients cannot be distinguished: X-Forwarded-For is then whatever the client sent.
const trustedProxies = Number(process.env.TRUSTED_PROXIES ?? 0)

/** The client's address, or `everybody` if it is not known: then all clients share one counter. */
export function clientOf(request: Request): string {
  return clientIp(request, { trustedProxies }) ?? 'everybody'
}
