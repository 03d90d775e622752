'use client'

import { useState } from 'react'

/** A button that sends a request, and its result. A second click does not wait for the first. */
export function Call({ title, path, init }: { title: string; path: string; init?: RequestInit }) {
  const [result, setResult] = useState<{ good: boolean; line: string; body: string }>()

  async function send() {
    const begin = performance.now()
    try {
      const response = await fetch(path, init)
      const body = await response.text()
      const ms = Math.round(performance.now() - begin)
      setResult({ good: response.ok, line: `${response.status} in ${ms} ms`, body })
    } catch {
      setResult({ good: false, line: 'failed', body: 'The server cannot be reached.' })
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
        {result && <strong className={result.good ? 'good' : 'bad'}>{result.line}</strong>}
        {result && <pre>{result.body}</pre>}
      </div>
    </section>
  )
}
