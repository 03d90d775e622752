// What an addon is made of, as a CycloneDX bill of materials.

import { Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library'

const { Bom, Component, LicenseExpression, Metadata } = Models

/** Returns the bill of materials of the package with this name as JSON. It is the same for the same crates. */
export function billOfMaterials(name, version, license, crates) {
  const main = new Component(Enums.ComponentType.Library, name, { version, purl: `pkg:npm/${name}@${version}` })
  main.licenses.add(new LicenseExpression(license))
  main.bomRef.value = main.purl
  const bom = new Bom({ metadata: new Metadata({ component: main }) })
  for (const crate of crates.filter(({ isOurs }) => !isOurs)) {
    const component = ofCrate(crate)
    bom.components.add(component)
    main.dependencies.add(component.bomRef)
  }
  const normalizer = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6)
  const json = new Serialize.JsonSerializer(normalizer).serialize(bom, { sortLists: true, space: 2 })
  return `${json}\n`
}

function ofCrate({ name, version, license }) {
  const purl = `pkg:cargo/${name}@${version}`
  const component = new Component(Enums.ComponentType.Library, name, { version, purl, bomRef: purl })
  // Older crates write a slash.
  if (license) component.licenses.add(new LicenseExpression(license.replace('/', ' OR ')))
  return component
}
