import { describe, expect, it } from '@jest/globals';
import { noEvidence } from '../../../src/domain/call-outcome.js';
import type { FailedOutcome } from '../../../src/upstream/scan-tasks.js';
import { TokenSource, type FetchToken, type TokenResult } from '../../../src/upstream/token-source.js';

const start = new Date('2026-01-01T00:00:00Z');
const after = (minutes: number): Date => new Date(start.getTime() + minutes * 60_000);
const lastingADay = (name: string, at: Date): TokenResult => {
  return { kind: 'token', token: { value: name, expiresAt: new Date(at.getTime() + 24 * 60 * 60_000) } };
};
const none = (outcome: FailedOutcome): TokenResult => ({ kind: 'none', outcome });
const iamIsAway = none({ kind: 'not_sent', cause: 'token', evidence: noEvidence });
const wrongPassword = none({ kind: 'blocked', by: 'authentication', evidence: noEvidence });

/** IAM as a list of what it will answer; afterwards tokens that last a day, named t1, t2, ... by the fetch. */
function anIam(...answers: readonly (TokenResult | null)[]): { source: TokenSource; fetches: string[] } {
  const fetches: string[] = [];
  const fetchToken: FetchToken = (projectId, at) => {
    fetches.push(projectId);
    return Promise.resolve(answers[fetches.length - 1] ?? lastingADay(`t${fetches.length}`, at));
  };
  return { source: new TokenSource(fetchToken), fetches };
}

const tokenOf = (result: TokenResult): string => (result.kind === 'token' ? result.token.value : result.outcome.kind);

describe('a token source', () => {
  it('asks once and keeps the token until half an hour before its end', async () => {
    const { source, fetches } = anIam();
    expect(tokenOf(await source.get('p', start))).toBe('t1');
    expect(tokenOf(await source.get('p', after(23 * 60 + 29)))).toBe('t1');
    expect(tokenOf(await source.get('p', after(23 * 60 + 31)))).toBe('t2');
    expect(fetches).toHaveLength(2);
  });

  it('keeps a short-lived token for half of its life', async () => {
    const shortLived: TokenResult = { kind: 'token', token: { value: 'short', expiresAt: after(10) } };
    const { source } = anIam(shortLived);
    await source.get('p', start);
    expect(tokenOf(await source.get('p', after(4)))).toBe('short');
    expect(tokenOf(await source.get('p', after(6)))).toBe('t2');
  });

  it('has a token for each project, since a token is scoped to one', async () => {
    const { source, fetches } = anIam();
    expect(tokenOf(await source.get('p', start))).toBe('t1');
    expect(tokenOf(await source.get('q', start))).toBe('t2');
    expect(tokenOf(await source.get('p', start))).toBe('t1');
    expect(fetches).toEqual(['p', 'q']);
  });

  it('renews once for all who ask meanwhile', async () => {
    const { source, fetches } = anIam();
    const results = await Promise.all(Array.from({ length: 20 }, () => source.get('p', start)));
    expect(new Set(results.map(tokenOf))).toEqual(new Set(['t1']));
    expect(fetches).toHaveLength(1);
  });

  it('gets a new token after the old one was refused', async () => {
    const { source } = anIam();
    await source.get('p', start);
    source.forget();
    expect(tokenOf(await source.get('p', start))).toBe('t2');
  });

  it('keeps the token of a renewal that was under way when the old one was forgotten', async () => {
    const { source, fetches } = anIam();
    const underWay = source.get('p', start);
    source.forget();
    await underWay;
    expect(tokenOf(await source.get('p', start))).toBe('t1');
    expect(fetches).toHaveLength(1);
  });

  it('goes on with a token that is still good while IAM is away', async () => {
    const { source } = anIam(null, iamIsAway, iamIsAway);
    await source.get('p', start);
    expect(tokenOf(await source.get('p', after(23 * 60 + 45)))).toBe('t1');
    expect(tokenOf(await source.get('p', after(24 * 60)))).toBe('not_sent');
  });

  it('does not go on after a refused password, which more tries could lock', async () => {
    const { source } = anIam(null, wrongPassword);
    await source.get('p', start);
    expect(await source.get('p', after(23 * 60 + 45))).toBe(wrongPassword);
  });

  it('remembers no failure', async () => {
    const { source } = anIam(iamIsAway);
    expect(await source.get('p', start)).toBe(iamIsAway);
    expect(tokenOf(await source.get('p', start))).toBe('t2');
  });

  it('holds no more than 500 tokens', async () => {
    const { source, fetches } = anIam();
    for (let project = 0; project <= 500; project += 1) await source.get(`p${project}`, start);
    await source.get('p500', start);
    expect(fetches).toHaveLength(501);
    await source.get('p0', start);
    expect(fetches).toHaveLength(502);
  });
});
