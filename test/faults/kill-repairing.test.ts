import { describe, jest } from '@jest/globals';
import { KILL_POINTS } from './kinds/kill-points.js';
import { aWorld, survives } from './support/suite.js';

// Each point is died at four times, after as many starts. A run that goes on beyond its time spoils the next.
jest.setTimeout(1_200_000);

describe('a process may die at any point of what repairs and stops', () => survives(KILL_POINTS.slice(5), aWorld(), 5));
