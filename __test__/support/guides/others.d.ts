// What the blocks of the guides import or use that the tests do not install: as much as these blocks need.
declare module 'npm:cinnabar' {
  export * from 'cinnabar'
}
declare module 'next/server.js' {
  export class NextRequest extends Request {
    readonly nextUrl: URL
  }
  export class NextResponse extends Response {
    static next(): NextResponse
  }
}
declare module 'next/server' {
  export * from 'next/server.js'
}
declare module 'next/navigation' {
  export function redirect(path: string): never
}

declare const Deno: {
  readonly env: { get(name: string): string | undefined }
  serve(
    handler: (
      request: Request,
      info: { remoteAddr: { transport: 'tcp'; hostname: string; port: number } },
    ) => Response | Promise<Response>,
  ): { shutdown(): Promise<void> }
}
declare const Bun: {
  serve(options: {
    port?: number
    fetch?: (
      request: Request,
      server: { requestIP(request: Request): { address: string; family: string; port: number } | null },
    ) => Response | Promise<Response>
    routes?: Record<
      string,
      | Response
      | ((request: Request) => Response | Promise<Response>)
      | Partial<Record<'GET' | 'POST' | 'DELETE', (request: Request) => Response | Promise<Response>>>
    >
  }): { stop(): Promise<void> }
}
