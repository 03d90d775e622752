import { revalidatePath } from 'next/cache'

export function POST() {
  revalidatePath('/stock')
  return Response.json({ invalidated: true })
}
