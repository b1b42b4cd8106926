import { fanoutContract } from './fanout.contract.js';

fanoutContract('a node between its feed and its sockets');
