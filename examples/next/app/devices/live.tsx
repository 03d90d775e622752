'use client'

import { useRouter } from 'next/navigation'
import { useEffect } from 'react'

/** Renders the page anew whenever a session of the user begins or ends. */
export function Live() {
  const router = useRouter()
  useEffect(() => {
    const events = new EventSource('/api/events')
    events.onmessage = () => router.refresh()
    return () => events.close()
  }, [router])
  return null
}
