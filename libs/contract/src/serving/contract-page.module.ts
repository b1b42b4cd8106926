import { Controller, type DynamicModule, Get, Module, Res } from '@nestjs/common';
import { bindValue } from '@wss/core';
import { type AsyncApiDocument, toAsyncApi } from '../async-api.js';
import type { AppContract } from '../contract.js';
import { ContractExplorer } from '../exploring/contract-explorer.js';
import { ContractModule } from '../exploring/contract.module.js';
import { type ContractPage, toPage } from '../page/contract-page.js';

/** How the contract is shown. */
export abstract class ContractPageOptions {
  /** Name of the server. Default `contract`. */
  abstract readonly title?: string;
  /** Version of the document. Default `1.0.0`. */
  abstract readonly version?: string;
  /**
   * Path of the WebSocket, e.g. `/live`: the page has forms that send commands to this node. Set it only where everybody
   * may connect (`auth: 'none'`). Default: no forms.
   */
  abstract readonly tryAt?: string;
}

/** Serves the contract to developers of clients; it is made once, at the first request. */
@Controller()
class ContractController {
  private contract?: AppContract;
  private shown?: ContractPage;

  constructor(
    private readonly explorer: ContractExplorer,
    private readonly options: ContractPageOptions,
  ) {}

  /** For machines. */
  @Get('asyncapi.json')
  asyncApi(): AsyncApiDocument {
    const { title = 'contract', version = '1.0.0' } = this.options;
    return toAsyncApi(this.found(), { title, version });
  }

  /** For people. The policy takes the place of one that a middleware has set for all pages. */
  @Get('contract')
  page(@Res({ passthrough: true }) response: Response): string {
    const { title = 'contract', tryAt } = this.options;
    this.shown ??= toPage(this.found(), { title, ...(tryAt !== undefined && { tryAt }) });
    response.header('Content-Type', 'text/html; charset=utf-8');
    response.header('Content-Security-Policy', this.shown.policy);
    return this.shown.html;
  }

  private found(): AppContract {
    return (this.contract ??= this.explorer.contract());
  }
}

/** The part of a response that Express and Fastify share. */
interface Response {
  header(name: string, value: string): unknown;
}

/** Shows the contract at `/contract`, as a page to read and try, and at `/asyncapi.json`. */
@Module({})
export class ContractPageModule {
  static forRoot(options: Partial<ContractPageOptions> = {}): DynamicModule {
    return {
      module: ContractPageModule,
      imports: [ContractModule],
      controllers: [ContractController],
      providers: [bindValue(ContractPageOptions, options as ContractPageOptions)],
    };
  }
}
