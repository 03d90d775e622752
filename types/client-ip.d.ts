/** Options of `clientIp`. */
export interface ClientIpOptions {
  /**
   * The proxies in front of this process that are your own, which append to a header the address that connected to them. Default 0:
   * headers are ignored, and the address is that of the connection.
   *
   * - A number, from 0 to 100: how many each request passes through. The process must be reachable through them only.
   * - Addresses and networks, in an array or from `addressList`: the client has the first address from the right that is in none. The list
   *   must have proxies only, not the networks of clients, and not every address. For a long list use `addressList`: an array is read at each call. Nothing is known of a request without a `remoteAddress`, so the result is `null`.
   */
  trustedProxies?: number | readonly string[] | AddressList
  /**
   * The address of the connection, where the request does not have it, as in Deno and Bun. Default: that of the request's socket.
   *
   * @example
   * Deno.serve((request, info) => serve(clientIp(request, { remoteAddress: info.remoteAddr })))
   * Bun.serve({ fetch: (request, server) => serve(clientIp(request, { remoteAddress: server.requestIP(request) })) })
   */
  remoteAddress?: string | { readonly address: string } | { readonly hostname: string } | object | null
  /**
   * The header that the proxies write. Default `'x-forwarded-for'`. `'forwarded'` is that of RFC 7239. Any other, such as
   * `'cf-connecting-ip'`, `'fly-client-ip'` or `'x-real-ip'`, has a single address, which the proxy must write in place of what the client
   * sent; the connection must be from one of `trustedProxies`.
   */
  header?: 'x-forwarded-for' | 'forwarded' | 'cf-connecting-ip' | 'fly-client-ip' | 'x-real-ip' | (string & {})
  /** How many bits of an address of IPv6 count, from 1 to 128. Default 64: a client has all addresses of such a network. */
  ipv6Prefix?: number
}

/** A request: one of fetch, of Node.js, Express, Fastify or Hono (`c.req`), or its headers alone. */
export type RequestWithHeaders =
  { readonly headers: object } | { get(name: string): unknown } | { readonly raw: object }

/**
 * The address of the client of a request, to limit it by, or `null` if it is not known. It is written in one way: an address of IPv4, such as
 * `'203.0.113.9'`, also if it came within IPv6; or a network of IPv6, such as `'2001:db8:1:2::/64'`. Ports and zones are cut off.
 *
 * Entries of headers are counted from the right, as `trustedProxies` says, so that no client can choose its address. One that is no address
 * ends the search: the result is then the address of the proxy that sent it.
 *
 * @example
 * const ip = clientIp(request, { trustedProxies: 1 })
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an invalid option, or what is not a request; never for what a client sends.
 */
export function clientIp(request: RequestWithHeaders, options?: ClientIpOptions): string | null

/** A list of addresses and networks. */
export interface AddressList {
  /**
   * Whether an address is in the list, or all of a network, such as `clientIp` returns. `false` for `null` and for what is neither. To look up
   * single addresses of IPv6, use `ipv6Prefix: 128` in `clientIp`.
   */
  includes(ip: string | null | undefined): boolean
}

/**
 * A list of addresses and networks (CIDR), to allow or deny clients, or as `trustedProxies`. It may be long: looking an address up takes
 * logarithmic time.
 *
 * @example
 * const denied = addressList(['192.0.2.0/24', '2001:db8::/32'])
 * if (denied.includes(clientIp(request))) return new Response(null, { status: 403 })
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` if one is not an address or a network.
 */
export function addressList(networks: readonly string[]): AddressList
