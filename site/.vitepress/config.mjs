// The site: the guides of docs/, and below reference/ the declarations of types/. `scripts/docs.mjs` puts both into `.build/pages`.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'

import { anchorOf } from '../anchors.mjs'
import { referenceSidebar } from '../reference.mjs'

const pages = fileURLToPath(new URL('../.build/pages', import.meta.url))
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

const group = (text, items) => ({
  text,
  items: Object.entries(items).map(([link, text]) => ({ text, link: `/${link}` })),
})

const guides = [
  { text: 'Start in five minutes', link: '/' },
  group('Features', {
    sessions: 'Sessions',
    cache: 'Cache',
    'next-cache': 'The caches of Next.js',
    'rate-limits': 'Rate limits',
    locks: 'Locks',
    rooms: 'Rooms and messages',
    queues: 'Job queues',
    health: 'Health and shutdown',
    client: 'The raw client',
  }),
  group('In production', {
    errors: 'Errors',
    settings: 'Settings',
    deploying: 'Deploying',
    reliability: 'Reliability',
    performance: 'Performance',
    security: 'Security',
    'session-security': 'Security of sessions',
    access: 'Permissions of the server',
    doctor: 'Check a server',
    'command-line': 'The command line',
  }),
  group('From another library', {
    migration: 'Overview',
    'client-migration': 'ioredis, node-redis',
    'session-migration': 'express-session, better-auth',
    'cache-migration': 'bentocache, Keyv, cacheable',
    'limit-migration': 'rate-limiter-flexible',
    'lock-migration': 'redlock, redis-semaphore',
    'queue-migration': 'BullMQ',
  }),
]

export default defineConfig({
  title: 'cinnabar',
  description:
    'Sessions, cache, rate limits, locks, rooms and job queues for Node.js, Deno and Bun over Redis or Valkey',
  lang: 'en',
  srcDir: '.build/pages',
  outDir: 'dist',
  cacheDir: '.build/cache',
  lastUpdated: false,
  ignoreDeadLinks: false,
  markdown: { anchor: { slugify: anchorOf }, headers: { slugify: anchorOf }, toc: { slugify: anchorOf } },
  // No icon, and no request for one.
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  themeConfig: {
    siteTitle: `cinnabar ${version}`,
    nav: [
      { text: 'Guides', link: '/', activeMatch: '^/(?!reference)' },
      { text: 'Reference', link: '/reference/', activeMatch: '^/reference/' },
    ],
    sidebar: { '/reference/': referenceSidebar(pages), '/': guides },
    outline: [2, 3],
    search: {
      provider: 'local',
      options: {
        miniSearch: {
          searchOptions: {
            fuzzy: 0.2,
            prefix: true,
            boost: { title: 4, text: 2, titles: 1 },
            // A guide says what a declaration is for, so it comes first.
            boostDocument: (id) => (id.includes('/reference/') ? 0.2 : 1),
          },
        },
      },
    },
  },
})
