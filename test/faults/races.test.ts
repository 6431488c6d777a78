import { describe } from '@jest/globals';
import { RACES } from './kinds/races.js';
import { aWorld, survives } from './support/suite.js';

describe('races', () => survives(RACES, aWorld(), 600));
