export { type AsyncApiDocument, type AsyncApiInfo, toAsyncApi } from './async-api.js';
export { breakingChanges, describeChange } from './compatibility.js';
export { type AppContract } from './contract.js';
export * from './contract.module.js';
export * from './contract-explorer.js';
export * from './contract-page.js';
export * from './read-contract.js';
export * from './type-map.js';
