export { TestClient } from '../clients/test-client.js';
export { eventually } from '../waiting/eventually.js';
