// Modules that better-auth's types import, which only Bun and newer versions of Node.js have.
declare module 'bun:sqlite' {
  export class Database {}
}
declare module 'node:sqlite' {
  export class DatabaseSync {}
}
