// What Next.js passes to its cache handlers, for specs that call them as it does.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { temporaryFolder } from './processes.mjs'

/** The time as Next.js measures it. */
export const now = () => performance.timeOrigin + performance.now()

/** An entry of 'use cache' with this value: text, bytes, or a list of chunks; `more` are other fields. */
export function entryOf(value, more) {
  return { value: streamOf(value), tags: [], stale: 300, timestamp: now(), expire: 3600, revalidate: 900, ...more }
}

/** A stream of these chunks, which fails at the end if there is an error. */
export function streamOf(value, error) {
  const chunks = [value].flat().map((chunk) => Buffer.from(chunk))
  return new ReadableStream({
    pull(controller) {
      if (chunks.length > 0) controller.enqueue(new Uint8Array(chunks.shift()))
      else if (error) controller.error(error)
      else controller.close()
    },
  })
}

/** The whole value of an entry as bytes, or `undefined` without one. */
export async function bytesOf(entry) {
  if (entry === undefined) return undefined
  const chunks = []
  for await (const chunk of entry.value) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The same as text. */
export const textOf = async (entry) => (await bytesOf(entry))?.toString()

/** Reads a key and then stores a value under it, as Next.js does; `more` are other fields of the entry. */
export async function put(handler, key, value, more) {
  await handler.get(key, [])
  await handler.set(key, Promise.resolve(entryOf(value, more)))
}

/** The folder of the server's files in a build of this id, as Next.js passes it to a handler. */
export function serverFilesOf(id) {
  const folder = temporaryFolder('build')
  mkdirSync(join(folder, 'server'))
  writeFileSync(join(folder, 'BUILD_ID'), id)
  return join(folder, 'server')
}

/** A page with these tags, with all that a page can have. */
export function pageOf(html, tags = []) {
  return {
    kind: 'APP_PAGE',
    html,
    rscData: Buffer.from([0, 255, 10, 13, 0xc3, 0x28]),
    headers: { 'x-next-cache-tags': tags.join(','), 'x-other': ['a', 'b'] },
    postponed: undefined,
    status: 200,
    segmentData: new Map([
      ['/_tree', Buffer.from('tree')],
      ['/a/__PAGE__', Buffer.from([0, 1, 2, 254, 255])],
      ['/empty', Buffer.alloc(0)],
    ]),
  }
}

/** A response to `fetch` with this body. */
export function fetchedOf(body, more) {
  const data = { headers: { 'content-type': 'text/plain' }, body, status: 200, url: 'http://upstream/' }
  return { kind: 'FETCH', data, revalidate: 900, ...more }
}

/**
 * Lets the states of tags begin, as they do at the first read, but long ago: otherwise an entry counts as invalid that cannot be proved to be
 * newer than them, since the clock of the store is known to a few milliseconds only, and to fewer in a busy process.
 */
export async function beginTags(client, prefix = 'next:') {
  await client.hSet(`${prefix}{tags}`, 'since', '1')
}
