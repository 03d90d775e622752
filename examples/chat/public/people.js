// Who is in the room.
import { avatar, byId, make } from './dom.js'

const here = new Set()

/** Shows exactly these. */
export function setPeople(names) {
  here.clear()
  for (const name of names) here.add(name)
  draw()
}

export function addPerson(name) {
  here.add(name)
  draw()
}

export function removePerson(name) {
  here.delete(name)
  draw()
}

function draw() {
  const names = [...here].sort((a, b) => a.localeCompare(b))
  byId('count').textContent = names.length
  byId('people').replaceChildren(
    ...names.map((name) => {
      const item = make('li')
      item.append(avatar(name), make('span', name))
      return item
    }),
  )
}
