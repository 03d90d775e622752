/** The anchor of a heading, as GitHub makes it: lower case, without punctuation, with hyphens for spaces. */
export const anchorOf = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
