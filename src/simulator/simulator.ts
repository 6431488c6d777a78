import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Controls } from './controls.js';
import type { ScenarioInput } from './scenario.js';
import { createSimulatorServer } from './server.js';

export { defaultScenario, demoProject } from './default-scenario.js';
export { limitsOff } from './rate-limit.js';
export type { FaultEffect, FaultRule } from './fault-rules.js';
export type { LedgerEntry } from './ledger.js';
export type { Limits } from './rate-limit.js';
export type { Behaviour, ClusterSpec, Scenario, ScenarioInput, TaskSpec } from './scenario.js';
export type { ClusterView, TaskView } from './world-view.js';

export interface SimulatorOptions {
  /** 0, the default: any free port. */
  readonly port?: number;
  readonly host?: string;
  /** What it leaves out comes from the default scenario. */
  readonly scenario?: ScenarioInput;
  /** The same seed and the same calls give the same run. */
  readonly seed?: number;
  /** Milliseconds since the epoch. A test that moves time itself gives its own. */
  readonly clock?: () => number;
}

export interface Simulator {
  readonly url: string;
  readonly hssUrl: string;
  readonly iamUrl: string;
  readonly port: number;
  /** State, ledger and faults, without HTTP. */
  readonly controls: Controls;
  /** Cuts open connections: a call that is never answered must not hold it up. */
  close(): Promise<void>;
}

/** Starts HSS and IAM under one origin. Rejects when the port cannot be had. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { port = 0, host = '127.0.0.1', scenario = {}, seed = 1, clock = Date.now } = options;
  const controls = new Controls(scenario, seed, clock);
  const server = createSimulatorServer(controls);
  server.listen(port, host);
  await once(server, 'listening');

  const bound = (server.address() as AddressInfo).port;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url, hssUrl: url, iamUrl: url, port: bound, controls, close };
}
