import { describe } from '@jest/globals';
import { NETWORK_FAULTS } from './kinds/network.js';
import { aWorld, survives } from './support/suite.js';

describe('the network', () => survives(NETWORK_FAULTS, aWorld(), 400));
