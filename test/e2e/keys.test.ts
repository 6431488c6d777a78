import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ApiClient } from '../support/api-client.js';
import { retryOf, ServiceRig } from '../support/service-rig.js';
import type { ServiceProcess } from '../support/service-process.js';

let rig: ServiceRig;
let service: ServiceProcess;

beforeAll(async () => {
  rig = await ServiceRig.open();
  service = await rig.start({ ROLE: 'api' });
});

afterAll(() => rig.close());

/** `npm run keys -- ...`, without npm. */
async function keys(...args: string[]): Promise<string> {
  const node = ['--import', './test/support/typescript.mjs', 'src/keys.main.ts', ...args];
  const env = { PATH: process.env['PATH'], DATABASE_URL: rig.database.url };
  const { stdout } = await promisify(execFile)(process.execPath, node, { env });
  return stdout;
}

describe('a key from the command line', () => {
  it('opens what it says until it is revoked, and is shown once', async () => {
    const made = await keys(
      'create',
      '--caller',
      'team-c',
      '--scopes',
      'requests:write,requests:read',
      '--projects',
      'project-1',
    );
    const [key] = made.split('\n') as [string];
    const client = new ApiClient(service.url, key);
    expect(await client.submit(retryOf(rig.task(1)))).toMatchObject({ caller: 'team-c' });
    expect((await client.trySubmit(retryOf(rig.task(1, { projectId: 'project-2' })))).status).toBe(404);
    expect((await client.get('/metrics')).status).toBe(403);

    const list = await keys('list');
    expect(list).toContain('team-c');
    expect(list).not.toContain(key);

    const [id] = /[0-9a-f-]{36}/.exec(list) as RegExpExecArray;
    await keys('revoke', id);
    expect((await client.get('/v1/requests')).status).toBe(401);
    expect(await keys('list')).toContain('revoked');
    expect(await rig.query("SELECT kind, actor FROM event WHERE kind LIKE 'key.%' ORDER BY id")).toEqual([
      { kind: 'key.created', actor: 'operator' },
      { kind: 'key.revoked', actor: 'operator' },
    ]);
  });
});
