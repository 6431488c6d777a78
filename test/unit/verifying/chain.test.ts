import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { eventFields, parseLine, toLine, type EventRow } from '../../../src/domain/sealed-event.js';
import { chainHash, chainStart } from '../../../src/sealing/chain.js';

const row: EventRow = {
  id: '0199f0a0-0000-7000-8000-000000000001',
  at: new Date('2026-11-26T08:00:00.120Z'),
  tx: '812',
  kind: 'call.rejected',
  actor: 'rescan',
  keyId: null,
  projectId: 'project-1',
  requestId: null,
  callId: '0199f0a0-0000-7000-8000-000000000002',
  laneId: 'main.retryTask',
  scheduleId: null,
  textHash: 'ab'.repeat(32),
  data: '{"b": 1.50, "a": [1e3, "é\\u20ac"], "c": null}',
};

describe('an event', () => {
  /** Kept for ever: what is sealed today must verify with any later version. Worked out with Python's hashlib. */
  it('has the hash that it has always had', () => {
    expect(chainStart('project-1')).toBe('0372f8c9821e9891b5722a28d1277f90fd05ea6ed2232eddc6d3347b01ab8118');
    expect(chainHash(chainStart('project-1'), eventFields(row))).toBe(
      'd999b7b5d4ed7f790592aabb39c2b1b6d478b487b7447f2b656c4275174e88d3',
    );
  });

  it('has the same hash whatever the order of its fields, and another for any other value', () => {
    const fields = eventFields(row);
    const turned = Object.fromEntries(Object.entries(fields).reverse()) as typeof fields;
    const start = chainStart('p');
    expect(chainHash(start, turned)).toBe(chainHash(start, fields));
    expect(chainHash(start, { ...fields, kind: 'call.accepted' })).not.toBe(chainHash(start, fields));
    expect(chainHash(chainStart('q'), fields)).not.toBe(chainHash(start, fields));
  });
});

describe('a line of an export', () => {
  it('comes back as it was, with the same hash', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ unit: 'grapheme' }), fc.integer({ min: 1 }), (data, projectId, seq) => {
        const event = eventFields({ ...row, data: JSON.stringify(data) });
        const sealed = { projectId, seq, eventId: row.id, hash: chainHash(chainStart(projectId), event), event };
        const line = toLine(sealed);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        const back = parseLine(line);
        expect(chainHash(chainStart(projectId), back?.event ?? { id: '' })).toBe(sealed.hash);
      }),
    );
  });

  it.each([
    '',
    '{',
    '[]',
    'null',
    '{"projectId":"p"}',
    '{"projectId":"p","seq":0,"eventId":"e","hash":"h","event":{"id":"e"}}',
  ])('is not %s', (line) => {
    expect(parseLine(line)).toBeNull();
  });
});
