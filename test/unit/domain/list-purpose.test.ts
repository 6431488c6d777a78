import { describe, expect, it } from '@jest/globals';
import { LIST_PURPOSES, turnsOf } from '../../../src/domain/list-purpose.js';

describe('the turn of a list lane', () => {
  it('is that of unknown calls first', () => {
    expect(turnsOf(new Set())).toEqual(['lookup', 'verdict', 'listing', 'schedule']);
  });

  it('is that of whoever has had none in this window', () => {
    expect(turnsOf(new Set(['lookup', 'listing']))).toEqual(['verdict', 'schedule', 'lookup', 'listing']);
  });

  it('is in order again once each has had one', () => {
    expect(turnsOf(new Set(LIST_PURPOSES))).toEqual(LIST_PURPOSES);
  });
});
