import { Controller, Get, Header } from '@nestjs/common';
import { type AsyncApiDocument, ContractExplorer, toAsyncApi, toPage } from '@wss/nest/contract';
import { CONTRACT_INFO } from './contract-info.js';

/** Serves the contract to developers of clients; it is built once, at the first request. */
@Controller()
export class ContractController {
  private document?: AsyncApiDocument;
  private html?: string;

  constructor(private readonly explorer: ContractExplorer) {}

  /** For machines. */
  @Get('asyncapi.json')
  asyncApi(): AsyncApiDocument {
    return (this.document ??= toAsyncApi(this.explorer.contract(), CONTRACT_INFO));
  }

  /** For people. */
  @Get('contract')
  @Header('Content-Type', 'text/html; charset=utf-8')
  page(): string {
    return (this.html ??= toPage(this.explorer.contract(), CONTRACT_INFO.title));
  }
}
