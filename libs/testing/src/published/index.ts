export { TestClient } from '../clients/test-client.js';
export { FeatureCluster } from '../gateways/feature-cluster.js';
export { eventually } from '../waiting/eventually.js';
