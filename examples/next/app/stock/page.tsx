// Rendered once for all instances, until `POST /api/stock` invalidates it or an hour has passed.
export const revalidate = 3600

export default function Stock() {
  return (
    <main>
      <h1>Stock</h1>
      <p>
        Counted at <time>{new Date().toISOString()}</time>
      </p>
    </main>
  )
}
