import { assertNever } from './assert-never.js';
import { PAGE_ROWS } from './listing.js';

/** Of those that a pass asks for by themselves. What is left then waits for the next one; more of them need not be counted. */
export const MAX_ALONE = 20;

/** Where a pass over a scan task's clusters stands: at a page of those in one state, or at one cluster by itself. */
export interface PassPosition {
  readonly step: 'failed' | 'success' | 'scanning' | 'alone';
  readonly offset: number;
  readonly askedAlone: number;
}

export type PassStep = { readonly kind: 'next'; readonly position: PassPosition } | { readonly kind: 'end' };

/**
 * Where a pass goes on after a page. Failed clusters come first, since something may be done about them; then successful ones, then what
 * scans; each of those that no page has shown is asked for by itself, and at once where that takes fewer calls than the pages that are left.
 * @param unseen clusters that are watched and that this pass has not shown yet
 */
export function afterVerdictPage(
  position: PassPosition,
  page: { readonly total: number | null; readonly nextOffset: number | null },
  unseen: number,
): PassStep {
  if (unseen === 0) return { kind: 'end' };
  const { step, askedAlone } = position;
  const next = (to: Partial<PassPosition>): PassStep => ({
    kind: 'next',
    position: { step, offset: 0, askedAlone, ...to },
  });
  if (step === 'alone') {
    return askedAlone + 1 >= MAX_ALONE ? { kind: 'end' } : next({ askedAlone: askedAlone + 1 });
  }
  const { nextOffset, total } = page;
  const pagesLeft = nextOffset === null ? 0 : Math.max(1, Math.ceil(((total ?? 0) - nextOffset) / PAGE_ROWS));
  const more = step === 'scanning' ? 0 : 1;
  if (unseen <= Math.min(MAX_ALONE, Math.max(pagesLeft, more))) return next({ step: 'alone' });
  if (nextOffset !== null) return next({ offset: nextOffset });
  return next({ step: followerOf(step) });
}

function followerOf(step: 'failed' | 'success' | 'scanning'): PassPosition['step'] {
  switch (step) {
    case 'failed':
      return 'success';
    case 'success':
      return 'scanning';
    case 'scanning':
      return 'alone';
    default:
      return assertNever(step);
  }
}

/** How long until a scan task is looked at again: what the upstream itself expects, or else the longer, the longer it has taken. */
export function untilNextLookMs(
  { soFarMs, estimatedMinutes }: { readonly soFarMs: number; readonly estimatedMinutes: number | null },
  { baseMs, capMs }: { readonly baseMs: number; readonly capMs: number },
): number {
  const expected = estimatedMinutes === null ? soFarMs / 2 : estimatedMinutes * 60_000;
  return Math.min(capMs, Math.max(baseMs, Math.round(expected)));
}
