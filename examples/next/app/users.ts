// Stands for the table of users of an application.

const NAME = /^[\p{L}\p{N} ._-]{1,24}$/u

/** The user whom a form names, or `null`. */
export function userIn(form: FormData) {
  const name = String(form.get('name')).trim()
  return NAME.test(name) ? { id: name.toLowerCase(), name } : null
}

/** Whether the password is right. Everyone has the same here; your application has a hash of each. */
export function hasPassword(user: { id: string }, form: FormData) {
  return form.get('password') === 'cinnabar'
}
