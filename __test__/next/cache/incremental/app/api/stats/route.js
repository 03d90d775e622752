export const dynamic = 'force-dynamic'

export async function GET() {
  const { healthCheck } = await import('cinnabar')
  return Response.json({ status: (await healthCheck()).status })
}
