import { refresh, updateTag } from 'next/cache'

async function update(form) {
  'use server'
  updateTag(String(form.get('tag')))
  refresh()
}

export default function Page() {
  return (
    <form action={update}>
      <input name="tag" />
      <button>Update</button>
    </form>
  )
}
