// Which slot of a cluster a key belongs to, by the rule of the Redis Cluster specification.

/** The slot of a key: CRC16 (XMODEM) modulo 16384 of what stands between the first `{` and the next `}`, else of it all. */
export function keySlot(key) {
  const bytes = Buffer.from(key)
  const open = bytes.indexOf('{')
  const close = open < 0 ? -1 : bytes.indexOf('}', open + 1)
  const hashed = close > open + 1 ? bytes.subarray(open + 1, close) : bytes
  let crc = 0
  for (const byte of hashed) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
    crc &= 0xffff
  }
  return crc % 16384
}

const tags = new Map()
let tried = 0

/** A text without braces that lies in this slot: `{${tagOf(slot)}}:any` is a key of the slot. */
export function tagOf(slot) {
  while (!tags.has(slot)) {
    const tag = `t${tried++}`
    const at = keySlot(tag)
    if (!tags.has(at)) tags.set(at, tag)
  }
  return tags.get(slot)
}
