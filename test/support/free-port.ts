export { freePort } from '../../src/quickstart/free-port.js';
