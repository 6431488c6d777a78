import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chainHash, chainStart } from '../../../src/sealing/chain.js';
import { ChainCheck, type ChainBegin, type Finding, type FoundLink } from '../../../src/verifying/chain-check.js';

const PROJECT = 'p-1';

/** `n` links that fit, from 1 on; in the world that `seed` names. */
function aChain(n: number, seed = ''): FoundLink[] {
  let previous = chainStart(PROJECT);
  return Array.from({ length: n }, (_one, index) => {
    const event = { id: `event${seed}-${index + 1}`, projectId: PROJECT, data: { n: index } };
    previous = chainHash(previous, event);
    return { projectId: PROJECT, seq: index + 1, eventId: event.id, hash: previous, event };
  });
}

function findingOf(links: readonly FoundLink[], begin: Partial<ChainBegin> = {}): Finding | null {
  const check = new ChainCheck({ projectId: PROJECT, ...begin });
  let first: Finding | null = null;
  for (const link of links) first ??= check.next(link);
  return first ?? check.finish();
}

const at = (links: FoundLink[], seq: number): FoundLink => links[seq - 1] ?? fail();
const fail = (): never => {
  throw new Error('no such link');
};
const renumbered = (links: FoundLink[]) => links.map((link, index) => ({ ...link, seq: index + 1 }));
const changedData = (link: FoundLink): FoundLink => ({
  ...link,
  event: { ...link.event, id: link.eventId, data: 'x' },
});

describe('a chain', () => {
  it('is whole as it was sealed', () => {
    expect(findingOf(aChain(9))).toBeNull();
    expect(findingOf([])).toBeNull();
  });

  it.each<[string, (links: FoundLink[]) => FoundLink[], Partial<Finding>]>([
    ['changed', (l) => l.with(3, changedData(at(l, 4))), { seq: 4, eventId: 'event-4', what: 'changed' }],
    ['changed, at its end', (l) => l.with(8, changedData(at(l, 9))), { seq: 9, eventId: 'event-9', what: 'changed' }],
    ['with another hash', (l) => l.with(3, { ...at(l, 4), hash: '00'.repeat(32) }), { seq: 4, what: 'changed' }],
    ['removed', (l) => l.toSpliced(3, 1), { seq: 4, eventId: null, what: 'removed' }],
    ['removed, the first', (l) => l.slice(2), { seq: 1, eventId: null, what: 'removed', detail: '1 to 2 are missing' }],
    ['removed, its event alone', (l) => l.with(3, { ...at(l, 4), event: null }), { seq: 4, what: 'removed' }],
    ['removed, and the rest renumbered', (l) => renumbered(l.toSpliced(3, 1)), { seq: 4, what: 'changed' }],
    [
      'inserted, and the rest renumbered',
      (l) => renumbered(l.toSpliced(3, 0, changedData(at(l, 2)))),
      { seq: 4, eventId: 'event-2', what: 'inserted' },
    ],
    [
      'inserted with a hash that fits',
      (l) => {
        const event = { id: 'new', projectId: PROJECT };
        const link = { projectId: PROJECT, seq: 4, eventId: 'new', hash: chainHash(at(l, 3).hash, event), event };
        return renumbered(l.toSpliced(3, 0, link));
      },
      { seq: 4, eventId: 'new', what: 'inserted' },
    ],
    ['inserted twice', (l) => l.toSpliced(3, 0, at(l, 3)), { seq: 3, what: 'inserted' }],
    [
      'swapped, with their numbers',
      (l) => l.with(3, at(l, 5)).with(4, at(l, 4)),
      { seq: 5, eventId: 'event-5', what: 'reordered' },
    ],
    [
      'swapped, their events alone',
      (l) =>
        l
          .with(3, { ...at(l, 4), event: at(l, 5).event, eventId: 'event-5' })
          .with(4, { ...at(l, 5), event: at(l, 4).event, eventId: 'event-4' }),
      { seq: 4, eventId: 'event-5', what: 'reordered' },
    ],
    ['of another project', (l) => l.with(3, { ...at(l, 4), event: { id: 'event-4' } }), { seq: 4, what: 'changed' }],
  ])('%s: the first link that does not fit is named', (_title, tamper, expected) => {
    expect(findingOf(tamper(aChain(9)))).toMatchObject(expected);
  });

  it('that was cut fits, but for a kept head beyond its end', () => {
    const anchors = [{ seq: 9, hash: at(aChain(9), 9).hash, from: 'the kept head' }];
    expect(findingOf(aChain(9), { anchors })).toBeNull();
    expect(findingOf(aChain(12), { anchors })).toBeNull();
    expect(findingOf(aChain(7), { anchors })).toMatchObject({ seq: 8, what: 'cut' });
    expect(findingOf([], { anchors })).toMatchObject({ seq: 1, what: 'cut' });
  });

  it('that was written anew as a whole fits, but for a kept head', () => {
    const anchors = [{ seq: 5, hash: at(aChain(9), 5).hash, from: 'the kept head' }];
    expect(findingOf(aChain(9, 'forged'))).toBeNull();
    expect(findingOf(aChain(9, 'forged'), { anchors })).toMatchObject({ seq: 5, what: 'rewritten' });
  });

  it('may begin and end in the middle where it is a part, and is held to a head just before it', () => {
    const part = aChain(9).slice(3, 7);
    expect(findingOf(part)).toMatchObject({ seq: 1, what: 'removed' });
    expect(findingOf(part, { isPart: true })).toBeNull();
    expect(findingOf(part.with(2, changedData(at(part, 3))), { isPart: true })).toMatchObject({ seq: 6 });
    const before = (hash: string) => [{ seq: 3, hash, from: 'the kept head' }];
    expect(findingOf(part, { isPart: true, anchors: before(at(aChain(9), 3).hash) })).toBeNull();
    expect(findingOf(part, { isPart: true, anchors: before('11'.repeat(32)) })).toMatchObject({ seq: 4 });
  });

  it('shows any change of any column of any event, and at no later place', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(), fc.jsonValue(), (n, place, data) => {
        const links = aChain(n);
        const seq = (place % n) + 1;
        const link = at(links, seq);
        const event = { ...link.event, id: link.eventId, extra: { data } };
        expect(findingOf(links.with(seq - 1, { ...link, event }))).toMatchObject({ seq, what: 'changed' });
      }),
    );
  });
});
