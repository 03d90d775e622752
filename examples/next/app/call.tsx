'use client'

import { useState } from 'react'

/** A button that sends a request, and what came back. A second click does not wait for the first. */
export function Call({ title, path, init }: { title: string; path: string; init?: RequestInit }) {
  const [answer, setAnswer] = useState<{ good: boolean; line: string; body: string }>()

  async function send() {
    const begin = performance.now()
    try {
      const response = await fetch(path, init)
      const body = await response.text()
      const ms = Math.round(performance.now() - begin)
      setAnswer({ good: response.ok, line: `${response.status} in ${ms} ms`, body })
    } catch {
      setAnswer({ good: false, line: 'failed', body: 'The server cannot be reached.' })
    }
  }

  return (
    <section>
      <button type="button" onClick={send}>
        {title}
      </button>
      <code>
        {init?.method ?? 'GET'} {path}
      </code>
      <div role="status">
        {answer && <strong className={answer.good ? 'good' : 'bad'}>{answer.line}</strong>}
        {answer && <pre>{answer.body}</pre>}
      </div>
    </section>
  )
}
