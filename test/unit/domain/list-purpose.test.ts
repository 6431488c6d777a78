import { describe, expect, it } from '@jest/globals';
import { turnsOf } from '../../../src/domain/list-purpose.js';

describe('the turn of a list lane', () => {
  it('is that of unknown calls first', () => {
    expect(turnsOf(new Set())).toEqual(['lookup', 'listing']);
  });

  it('is that of whoever has had none in this window', () => {
    expect(turnsOf(new Set(['lookup']))).toEqual(['listing', 'lookup']);
  });

  it('is in order again once each has had one', () => {
    expect(turnsOf(new Set(['lookup', 'listing']))).toEqual(['lookup', 'listing']);
  });
});
