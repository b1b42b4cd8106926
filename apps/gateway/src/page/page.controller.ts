import { readFileSync } from 'node:fs';
import { Controller, Get, Header } from '@nestjs/common';
import { Config } from '../config.js';

/** Loads nothing from other hosts, and runs nothing inline. */
const POLICY =
  "default-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; frame-ancestors 'self'";

/** Placeholders for what the page has to know: the path of the WebSocket, and how clients are let in. */
const PATH = '<meta name="wss-path" content="/" />';
const AUTH = '<meta name="wss-auth" content="none" />';

/** The demo page: the SDK at work. Its script is bundled when the gateway is built. */
@Controller()
export class PageController {
  private readonly files = new Map<string, string>();

  constructor(private readonly config: Config) {}

  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  @Header('Content-Security-Policy', POLICY)
  index(): string {
    return this.file('index.html')
      .replace(PATH, PATH.replace('"/"', `"${this.config.WS_PATH}"`))
      .replace(AUTH, AUTH.replace('"none"', `"${this.config.AUTH}"`));
  }

  @Get('page.css')
  @Header('Content-Type', 'text/css; charset=utf-8')
  style(): string {
    return this.file('page.css');
  }

  @Get('page.js')
  @Header('Content-Type', 'text/javascript; charset=utf-8')
  script(): string {
    return this.file('page.js');
  }

  private file(name: string): string {
    let text = this.files.get(name);
    if (text === undefined) {
      text = readFileSync(new URL(`./browser/${name}`, import.meta.url), 'utf8');
      this.files.set(name, text);
    }
    return text;
  }
}
