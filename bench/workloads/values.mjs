/**
 * The documents that are cached, as JSON text of exactly `size` bytes:
 * - `text`: a few fields and one long text, as a rendered page or an article is;
 * - `unicode`: the same with a text outside ASCII;
 * - `rows`: a list of small records, where parsing is most of the work in every client.
 */
const LATIN = 'The quick brown fox jumps over the lazy dog while vermilion pigment dries on the wall. '
const UNICODE = 'Zinnober 辰砂 ist ein Mineral – leuchtend rot, schwer, und älter als jede Schrift. '
const RECORD_BYTES = 120

export function makeValue(id, size, shape = 'text') {
  const value = { id, kind: 'article', owner: `user:${id % 97}`, createdAt: '2026-01-02T03:04:05.678Z', body: '' }
  if (shape === 'rows') {
    value.rows = Array.from({ length: Math.max(1, Math.floor((size - 200) / RECORD_BYTES)) }, (_, n) => ({
      id: 100_000 + n,
      sku: `SKU-${100_000 + n * 7}`,
      price: 12.5 + n,
      stock: n % 50,
      tags: ['red', 'new'],
      active: n % 2 === 0,
    }))
  }
  value.body = textOf(shape === 'unicode' ? UNICODE : LATIN, size - Buffer.byteLength(JSON.stringify(value)))
  return value
}

function textOf(phrase, bytes) {
  if (bytes < 0) throw new RangeError('the size is too small for this shape')
  let text = phrase.repeat(Math.floor(bytes / Buffer.byteLength(phrase)))
  return text + '.'.repeat(bytes - Buffer.byteLength(text))
}
