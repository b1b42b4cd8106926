export { type AsyncApiDocument, type AsyncApiInfo, toAsyncApi } from './async-api.js';
export { ContractModule } from './exploring/contract.module.js';
export { ContractExplorer } from './exploring/contract-explorer.js';
export { exploreContract } from './exploring/explore-contract.js';
export { runContractCommand } from './files/contract-command.js';
export { checkContract, writeContract } from './files/contract-files.js';
export { readContract } from './read-contract.js';
export { ContractPageModule } from './serving/contract-page.module.js';
