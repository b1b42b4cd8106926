import type { HttpServer } from '@nestjs/common';

/** The HTTP platforms of Nest, by their packages; the first is the one that Nest itself takes by default. */
const PLATFORMS = [
  ['@nestjs/platform-express', 'ExpressAdapter'],
  ['@nestjs/platform-fastify', 'FastifyAdapter'],
] as const;

const MISSING = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'];

/**
 * A new adapter of the installed platform. It is loaded when a node starts, so that this package needs neither; a node
 * has the user's platform, since controllers, guards and pipes are tested with it.
 * @throws Error with the remedy when none is installed
 */
export async function installedPlatform(): Promise<HttpServer> {
  for (const [name, adapter] of PLATFORMS) {
    const platform = await load(name);
    if (platform) return new platform[adapter]!();
  }
  const names = PLATFORMS.map(([name]) => name).join(' or ');
  throw new Error(`no HTTP platform of Nest was found: install ${names}, or set httpAdapter`);
}

type Platform = Readonly<Record<string, new () => HttpServer>>;

async function load(name: string): Promise<Platform | undefined> {
  try {
    return (await import(name)) as Platform;
  } catch (error) {
    if (MISSING.includes((error as NodeJS.ErrnoException).code ?? '') && String(error).includes(name)) {
      return undefined;
    }
    throw error;
  }
}
