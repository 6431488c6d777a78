import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { HeadReader } from '../../../src/audit/head-reader.js';
import { Secret } from '../../../src/config/secret.js';
import { SealHeadLedger } from '../../../src/ledger/seal-heads.js';
import type { Principal } from '../../../src/security/principal.js';
import { isSignedBy } from '../../../src/sealing/head-signature.js';
import { HeadPublisher } from '../../../src/sealing/head-publisher.js';
import { CallingWorld } from '../../support/calling-world.js';
import { sealEverything, someEvents } from '../../support/chains.js';

const auditor: Principal = { keyId: '', caller: 'auditor', scopes: ['audit:read'], projects: '*' };
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const PAGE = { limit: 50 };

let world: CallingWorld;
let reader: HeadReader;
beforeEach(async () => {
  world = await CallingWorld.open();
  reader = new HeadReader(world.record);
});
afterEach(() => world.close());

function aPublisher(pem: string | null): HeadPublisher {
  const audit = { headIntervalMs: 600_000, signingKey: pem === null ? null : new Secret(pem) };
  return new HeadPublisher({ ...world.config, audit }, world.prisma, new SealHeadLedger());
}

async function seal(n: number, projectId: string | null = 'p-1'): Promise<void> {
  await someEvents(world.prisma, n, projectId);
  await sealEverything(world.prisma);
}

const heads = (projectId?: string) => reader.list({ ...PAGE, ...(projectId && { projectId }) }, auditor);

describe('heads', () => {
  it('are published of each chain that has grown, at fixed times, once, whoever publishes', async () => {
    const publishers = [aPublisher(PEM), aPublisher(PEM), aPublisher(PEM)];
    const publish = () => Promise.all(publishers.map((one) => one.publishIfDue()));
    await seal(3, 'p-1');
    await seal(2, null);
    await publish();
    await seal(4, 'p-1');
    await publish();
    expect((await heads('p-1')).items.map(({ seq }) => seq)).toEqual([3]);
    await world.database.advance(600_000);
    await publish();
    expect((await heads('p-1')).items.map(({ seq }) => seq)).toEqual([7, 3]);
    expect((await heads()).items.map(({ seq }) => seq)).toEqual([2]);
  });

  it('are signed with a key whose public half is published, and can be checked by it alone', async () => {
    await seal(3);
    await aPublisher(PEM).publishIfDue();
    const [head] = (await heads('p-1')).items;
    const [key] = await reader.keys();
    expect(key).toMatchObject({ id: head?.keyId, publicKey: publicKey.export({ type: 'spki', format: 'pem' }) });
    if (!head) throw new Error('no head');
    expect(isSignedBy(head, publicKey)).toBe(true);
    expect(isSignedBy(head, generateKeyPairSync('ed25519').publicKey)).toBe(false);
    for (const forged of [{ seq: 2 }, { hash: '00' }, { at: '2026-01-01T00:00:00.000Z' }, { projectId: 'p-2' }]) {
      expect(isSignedBy({ ...head, ...forged }, publicKey)).toBe(false);
    }
  });

  it('say that they are unsigned where there is no key', async () => {
    await seal(3);
    await aPublisher(null).publishIfDue();
    expect((await heads('p-1')).items).toMatchObject([{ seq: 3, keyId: null, signature: null }]);
    expect(await reader.keys()).toEqual([]);
  });

  it('are for those who may see the project, and page by page', async () => {
    for (let turn = 0; turn < 3; turn += 1) {
      await seal(1);
      await aPublisher(PEM).publishIfDue();
      await world.database.advance(600_000);
    }
    const first = await reader.list({ limit: 2, projectId: 'p-1' }, { ...auditor, projects: ['p-1'] });
    expect(first.items.map(({ seq }) => seq)).toEqual([3, 2]);
    const cursor = first.nextCursor ?? '';
    const { items, nextCursor } = await reader.list({ limit: 2, projectId: 'p-1', cursor }, auditor);
    expect([items.map(({ seq }) => seq), nextCursor]).toEqual([[1], null]);
    const stranger = { ...auditor, projects: ['p-2'] };
    await expect(reader.list({ ...PAGE, projectId: 'p-1' }, stranger)).rejects.toMatchObject({ code: 'not_found' });
    await expect(reader.list(PAGE, stranger)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('stand as they are: nobody changes one', async () => {
    await seal(1);
    await aPublisher(PEM).publishIfDue();
    await expect(world.database.asOwner('UPDATE seal_head SET seq = 9')).rejects.toThrow(/append-only/);
    await expect(world.database.asOwner('DELETE FROM seal_key')).rejects.toThrow(/append-only/);
  });
});
