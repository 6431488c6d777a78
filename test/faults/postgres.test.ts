import { describe } from '@jest/globals';
import { POSTGRES_FAULTS } from './kinds/postgres.js';
import { aWorld, survives } from './support/suite.js';

describe('Postgres', () => survives(POSTGRES_FAULTS, aWorld(), 200));
