// Lists of addresses and networks, also as the proxies of `clientIp`.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { addressList, clientIp } from 'cinnabar'

test('an addressList has what its networks have', () => {
  const list = addressList(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::ffff:198.51.100.0/120'])
  for (const ip of [
    '10.1.2.3',
    '::ffff:10.1.2.3',
    '192.0.2.7',
    '2001:db8:1:2::/64',
    '2001:DB8::1%eth0',
    '198.51.100.1',
  ]) {
    assert.equal(list.includes(ip), true, ip)
  }
  for (const ip of [
    '11.0.0.1',
    '192.0.2.8',
    '2001:db9::/64',
    '2001:d00::/24',
    '',
    'x',
    '\ud800',
    null,
    undefined,
    '10.0.0.0/7',
  ]) {
    assert.equal(list.includes(ip), false, String(ip))
  }
  assert.throws(() => list.includes(1), { code: 'E_INVALID_ARGUMENT' })
  for (const wrong of [undefined, null, '10.0.0.0/8', [1], ['10.0.0'], ['10.0.0.0/x'], [''], [undefined]]) {
    assert.throws(() => addressList(wrong), { code: 'E_INVALID_ARGUMENT' })
  }
  assert.equal(addressList([]).includes('10.0.0.1'), false)
})

test('a long list of proxies costs as much as a short one', () => {
  const request = { headers: { 'x-forwarded-for': '203.0.113.9' }, socket: { remoteAddress: '10.0.0.1' } }
  /** The shortest of many times, in which nothing else ran. */
  const shortest = (networks) => {
    const options = { trustedProxies: addressList(networks) }
    const times = Array.from({ length: 100 }, () => {
      const began = performance.now()
      assert.equal(clientIp(request, options), '203.0.113.9')
      return performance.now() - began
    })
    return Math.min(...times)
  }
  const long = Array.from({ length: 20_000 }, (_, at) => `10.${at >> 8}.${at & 255}.0/24`)
  const [short, found] = [shortest(['10.0.0.0/8']), shortest(long)]
  assert.ok(found < 10 * short, `${found} ms, not ${short} ms`)
})
