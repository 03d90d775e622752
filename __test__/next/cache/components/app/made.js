import { randomUUID } from 'node:crypto'

/** Which rendering this is: of which build, by which instance. */
export const made = (more) => ({
  build: process.env.NEXT_PUBLIC_BUILD,
  instance: process.env.INSTANCE,
  id: randomUUID(),
  ...more,
})

export const Output = ({ value }) => <output>{JSON.stringify(value)}</output>
