// The number of your own proxies in front of the app. A route handler does not see the address of the connection, so without a proxy
// clients cannot be distinguished: X-Forwarded-For is then whatever the client sent.
const PROXIES = Number(process.env.TRUSTED_PROXIES ?? 0)

/**
 * The client's address, or `everybody` if it is not known: then all clients share one counter. Each proxy appends the
 * address that called it, so the client is the entry that your outermost proxy wrote, counted from the right.
 */
export function clientOf(request: Request): string {
  const forwarded = request.headers.get('x-forwarded-for')?.split(',') ?? []
  const address = PROXIES > 0 ? forwarded.at(-PROXIES) : undefined
  return address?.trim() || 'everybody'
}
