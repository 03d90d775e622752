import { createHash, randomBytes } from 'node:crypto'

export const dynamic = 'force-static'
export const revalidate = 3600
export const generateStaticParams = () => []

export function GET() {
  const bytes = randomBytes(300_000)
  const headers = {
    'content-type': 'application/octet-stream',
    'x-hash': createHash('sha256').update(bytes).digest('hex'),
  }
  return new Response(bytes, { headers })
}
