import { publish, subscribe } from 'cinnabar'

const channelOf = (userId: string) => `next:devices:${userId}`

/** Lets every open page of a user know that sessions began or ended. */
export const announce = (userId: string) => publish(channelOf(userId), {})

/** Calls the function after each `announce` for this user, in any process. */
export const onChange = (userId: string, listener: () => void) => subscribe(channelOf(userId), listener)
