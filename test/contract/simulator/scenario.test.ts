import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chance, uuidFrom } from '../../../src/simulator/chance.js';
import { completeScenario } from '../../../src/simulator/default-scenario.js';
import { loadScenario } from '../../../src/simulator/scenario-file.js';
import { readScenario } from '../../../src/simulator/scenario-readers.js';
import { defaultScenario, demoProject, startSimulator } from '../../../src/simulator/simulator.js';

describe('the default scenario', () => {
  it('has tasks of 3, 12 and 450 failed clusters among healthy ones', async () => {
    const simulator = await startSimulator();
    const tasks = simulator.controls.tasks();
    expect(tasks.map(({ counts }) => counts.failed)).toEqual([3, 12, 450]);
    expect(tasks.every(({ projectId, counts }) => projectId === demoProject && counts.success > counts.failed)).toBe(
      true,
    );
    await simulator.close();
  });

  it('would be read from a file without a change', () => {
    expect(completeScenario(readScenario(JSON.parse(JSON.stringify(defaultScenario)), 'scenario'))).toEqual(
      defaultScenario,
    );
  });

  it('fills in what another one leaves out', () => {
    const scenario = completeScenario({
      scans: { stuckRate: 1 },
      limits: { operations: { ListTasks: { user: null } } },
    });
    expect(scenario.scans).toEqual({ ...defaultScenario.scans, stuckRate: 1 });
    expect(Object.keys(scenario.limits.operations)).toEqual(['CreateToken', 'ListTasks']);
    expect(scenario.tasks).toBe(defaultScenario.tasks);
  });
});

describe('a scenario file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'scenario-'));
  const path = join(folder, 'scenario.yaml');
  const load = (text: string) => {
    writeFileSync(path, text);
    return loadScenario(path);
  };
  afterEach(() => rmSync(path, { force: true }));

  it('is YAML', () => {
    expect(
      load(`
limits: { user: null, api: null }
tasks:
  - taskId: t
    clusters: [{ clusterId: a, next: [failed, success] }]
faults:
  - { operation: RetryTask, times: 3, effect: { kind: throttle, policy: ip } }
`),
    ).toEqual({
      limits: { user: null, api: null },
      tasks: [{ taskId: 't', clusters: [{ clusterId: 'a', next: ['failed', 'success'] }] }],
      faults: [{ operation: 'RetryTask', times: 3, effect: { kind: 'throttle', policy: 'ip' } }],
    });
  });

  it('is JSON, too', () => {
    expect(load('{"clockSkewMs": -5000}')).toEqual({ clockSkewMs: -5_000 });
  });

  it.each([
    ['limit: 5', 'limit'],
    ['tasks: [{ failed: 3 }]', 'failed'],
    ['scans: { successRate: 7 }', 'successRate'],
    ['faults: [{ effect: { kind: boom } }]', 'kind'],
    ['credentials: []', 'credentials'],
    ['a: [', 'cannot read'],
  ])('is refused when it says %j', (text, word) => {
    expect(() => load(text)).toThrow(word);
  });

  it('is refused when it is not there', () => {
    expect(() => loadScenario(join(folder, 'nowhere.yaml'))).toThrow('cannot read');
  });
});

describe('chance', () => {
  it('is the same for the same parts, and a fraction', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.integer())), (parts) => {
        const drawn = chance(...parts);
        return drawn >= 0 && drawn < 1 && drawn === chance(...parts);
      }),
    );
  });

  it('spreads', () => {
    const low = Array.from({ length: 10_000 }, (_, i) => chance(1, `cluster-${i}`)).filter((drawn) => drawn < 0.1);
    expect(low.length).toBeGreaterThan(800);
    expect(low.length).toBeLessThan(1_200);
  });

  it('keeps parts apart', () => {
    expect(chance('ab', 'c')).not.toBe(chance('a', 'bc'));
  });

  it('makes ids in the form of a UUID, each once', () => {
    const ids = Array.from({ length: 100_000 }, (_, i) => uuidFrom('task', i));
    expect(new Set(ids).size).toBe(100_000);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
