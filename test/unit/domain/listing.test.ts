import { describe, expect, it } from '@jest/globals';
import { afterPage, MAX_LISTED, planListing, type ListingWish, type TaskCounts } from '../../../src/domain/listing.js';

const counts = (changed: Partial<TaskCounts>): TaskCounts => ({
  failed: 0,
  success: 0,
  scanning: 0,
  idle: true,
  ...changed,
});
const nobody: ListingWish = { wholeTask: false, accepted: false, waiting: 0 };

describe('the plan of a listing', () => {
  it('reads what has failed where all of it may be wanted, and is more than one call takes', () => {
    expect(planListing(counts({ failed: 300, success: 5_000 }), { ...nobody, waiting: 300 })).toEqual({
      kind: 'read',
      failedOnly: true,
      expected: 300,
    });
  });

  it('reads all clusters where these are hardly more pages', () => {
    expect(planListing(counts({ failed: 300, success: 700 }), { ...nobody, waiting: 300 })).toEqual({
      kind: 'read',
      failedOnly: false,
      expected: 1_000,
    });
  });

  it.each([
    ['one call takes them', counts({ failed: 200 }), { ...nobody, waiting: 400 }],
    ['some are scanning', counts({ failed: 300, scanning: 1, idle: false }), { ...nobody, waiting: 400 }],
    ['the task is running', counts({ failed: 300, idle: false }), { ...nobody, waiting: 400 }],
    ['it is too long', counts({ failed: MAX_LISTED + 1 }), { ...nobody, waiting: MAX_LISTED + 1 }],
  ])('is given up where %s', (_case, known, wish) => {
    expect(planListing(known, wish)).toEqual({ kind: 'give_up', worthFrom: null });
  });

  it('is given up until as many wait as have failed', () => {
    const plan = planListing(counts({ failed: 300 }), { ...nobody, waiting: 299 });
    expect(plan).toEqual({ kind: 'give_up', worthFrom: 300 });
  });

  it('reads what has failed alone where all would be too many', () => {
    const plan = planListing(counts({ failed: 9_900, success: 600 }), { ...nobody, waiting: 9_900 });
    expect(plan).toEqual({ kind: 'read', failedOnly: true, expected: 9_900 });
  });

  it('is made for a whole-task request however little has failed', () => {
    const wish = { ...nobody, wholeTask: true };
    expect(planListing(counts({ failed: 3, success: 10_000 }), wish)).toMatchObject({ failedOnly: true, expected: 3 });
    expect(planListing(counts({ success: 10_000 }), wish)).toEqual({ kind: 'nothing_failed' });
  });

  it('needs all clusters where the call has left already: what it meant need not have failed again', () => {
    const plan = planListing(counts({ failed: 1, success: 5_000, idle: false, scanning: 9 }), {
      ...nobody,
      accepted: true,
    });
    expect(plan).toEqual({ kind: 'read', failedOnly: false, expected: 5_010 });
  });
});

describe('a page', () => {
  const all = { expected: 402, failedOnly: false };
  const rows = [{ scanStatus: 'failed' }, { scanStatus: 'success' }];
  const page = { rows, rowsSeen: 2, total: 402, nextOffset: 202 };

  it('leads to the next one, or is the last', () => {
    expect(afterPage(all, page)).toEqual({ kind: 'next', offset: 202 });
    expect(afterPage(all, { ...page, nextOffset: null })).toEqual({ kind: 'last' });
  });

  it.each([
    ['tells another total', { ...page, total: 401 }],
    ['tells none', { ...page, total: null }],
    ['has rows that nobody can read', { ...page, rowsSeen: 3 }],
    ['has a cluster in a state that we do not know', { ...page, rows: [...rows, { scanStatus: null }], rowsSeen: 3 }],
  ])('is no part of a steady list where it %s', (_case, bad) => {
    expect(afterPage(all, bad)).toEqual({ kind: 'unsteady' });
  });

  it('of failed clusters alone has no others', () => {
    expect(afterPage({ ...all, failedOnly: true }, page)).toEqual({ kind: 'unsteady' });
  });
});
