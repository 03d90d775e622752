// What the declarations use among themselves is not exported.
// @ts-expect-error
import type { LostByJson } from 'cinnabar'

export type Internal = LostByJson
