// The page and its files, served from ./public unchanged: no build step, nothing from another host.
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'

const FOLDER = new URL('./public/', import.meta.url)
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Serves the files that exist at the start; a request can name no other file. */
export function pages({ origins }) {
  const files = new Map(readdirSync(FOLDER).map((name) => [`/${name}`, { type: TYPES[extname(name)], ...read(name) }]))
  files.set('/', files.get('/page.html'))
  const sockets = origins.map((origin) => origin.replace('http', 'ws')).join(' ')
  const headers = {
    'Cache-Control': 'no-cache',
    'Content-Security-Policy': `default-src 'self'; connect-src 'self' ${sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  }
  return (request, response) => {
    const file = files.get(request.url.split('?', 1)[0])
    if (!file) return response.writeHead(404, headers).end()
    if (!['GET', 'HEAD'].includes(request.method)) return response.writeHead(405, { ...headers, Allow: 'GET' }).end()
    response.writeHead(200, { ...headers, 'Content-Type': file.type, 'Content-Length': file.body.length })
    response.end(request.method === 'HEAD' ? undefined : file.body)
  }
}

const read = (name) => ({ body: readFileSync(new URL(name, FOLDER)) })
