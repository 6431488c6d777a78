import { afterEach, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { eventuallyHolds } from '../support/eventually.js';
import { retryOf, ServiceRig, type RigOptions } from '../support/service-rig.js';
import { retryCalls } from '../support/upstream-record.js';

const MINUTE = 60_000;
const USER = { name: 'svc', password: 'the-right-password', domain: 'acme' };
const byPassword: RigOptions = {
  scenario: { credentials: [{ name: 'main', projects: '*', user: USER }] },
  credentials: [{ auth: { kind: 'password', userName: 'svc', domainName: 'acme', passwordEnv: 'HSS_PASSWORD' } }],
  env: { HSS_PASSWORD: USER.password },
};

let rig: ServiceRig;
let team: ApiClient;
let operator: ApiClient;

async function open(options: RigOptions): Promise<void> {
  rig = await ServiceRig.open(options);
  await rig.start();
  team = await rig.client();
  operator = await rig.operator();
}

afterEach(() => rig.close());

const submitOne = async () => (await team.submit(retryOf(rig.task(1)))).id;
const statesOf = async (id: string) => (await team.calls(id)).map(({ state }) => state).reverse();
const tokensAskedFor = () => rig.simulator.controls.ledger({ operation: 'CreateToken' }).length;
/** Until a moment that is known: while a first call is out it is blocked too, until its answer. */
const rests = () =>
  eventuallyHolds(async () => {
    expect(await operator.lane()).toMatchObject({ blockedBy: 'credential', nextCallAt: expect.any(String) });
  });

describe('a password', () => {
  it('gives a token that serves many calls, and is renewed once when it has expired, for a new call', async () => {
    await open(byPassword);
    for (const id of [await submitOne(), await submitOne()]) await team.untilAllAccepted(id);
    expect(tokensAskedFor()).toBe(1);

    rig.simulator.controls.expireTokens();
    const id = await submitOne();
    await team.untilAllAccepted(id);
    expect(await statesOf(id)).toEqual(['blocked', 'accepted']);
    expect((await team.calls(id)).at(-1)).toMatchObject({ httpStatus: 401, errorCode: 'APIGW.0307' });
    expect(tokensAskedFor()).toBe(2);
    expect((await team.targets(id))[0]).toMatchObject({ attempts: 0 });
  });

  it('that is wrong is tried twice, and then rests: a user can be locked', async () => {
    await open({ ...byPassword, env: { HSS_PASSWORD: 'the-wrong-password' } });
    const id = await submitOne();
    await rests();
    expect(await statesOf(id)).toEqual(['blocked', 'blocked']);
    expect(tokensAskedFor()).toBe(2);
    expect(retryCalls(rig.simulator)).toEqual([]);
    expect((await team.targets(id))[0]).toMatchObject({ state: 'waiting', attempts: 0, waitingFor: 'credential' });
  });
});

describe('a secret key', () => {
  const refused = () => retryCalls(rig.simulator).filter(({ credential }) => credential === null);

  it('that is wrong is tried twice, then once every five minutes, whatever waits: six failures in a row lock it', async () => {
    await open({ env: { HSS_SK: 'the-wrong-secret-key' } });
    const ids = await Promise.all(Array.from({ length: 10 }, submitOne));
    await rests();
    expect(refused()).toHaveLength(2);

    await rig.advance(5 * MINUTE + 1_000);
    await eventuallyHolds(() => expect(refused().length).toBeGreaterThan(2));
    await rests();
    expect(refused()).toHaveLength(3);
    expect(refused().map(({ reply }) => reply)).toEqual(Array(3).fill(expect.objectContaining({ code: 'APIGW.0301' })));
    for (const id of ids) expect((await team.request(id)).counts).toMatchObject({ waiting: 1, rejected: 0 });
  });

  it('that is mended is used again by itself', async () => {
    await open({});
    rig.simulator.controls.addFaults({ times: 2, effect: { kind: 'error', status: 401, code: 'APIGW.0301' } });
    const id = await submitOne();
    await rests();
    await rig.advance(5 * MINUTE + 1_000);
    await team.untilAllAccepted(id);
  });
});
