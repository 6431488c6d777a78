import { Authenticator } from './authentication.js';
import { buildTasks } from './build-task.js';
import { Faults } from './faults.js';
import { Ledger } from './ledger.js';
import { RateLimits } from './rate-limit.js';
import type { RescanRules } from './rescan.js';
import type { ScanTask } from './scan-task.js';
import type { Behaviour, Scenario, ScanPolicy, TaskSpec } from './scenario.js';
import { Tokens } from './tokens.js';

/** Everything that the simulator knows. A reset makes a new one out of the scenario. */
export class World {
  readonly tokens: Tokens;
  readonly authenticator: Authenticator;
  readonly limits: RateLimits;
  readonly faults: Faults;
  readonly ledger: Ledger;
  readonly tasks = new Map<string, ScanTask>();
  behaviour: Behaviour;
  scans: ScanPolicy;
  private readonly ownScans = new Map<ScanTask, Partial<ScanPolicy>>();

  constructor(
    readonly scenario: Scenario,
    readonly seed: number,
    private readonly clock: () => number,
  ) {
    this.behaviour = scenario.behaviour;
    this.scans = scenario.scans;
    this.tokens = new Tokens(scenario.tokens, seed);
    this.authenticator = new Authenticator(scenario.credentials, this.tokens);
    this.limits = new RateLimits(scenario.limits);
    this.faults = new Faults(seed);
    this.ledger = new Ledger(scenario.ledger);
    this.faults.add(scenario.faults);
    for (const spec of scenario.tasks) this.addTasks(spec);
  }

  now(): number {
    return Math.floor(this.clock() + this.scenario.clockSkewMs);
  }

  task(projectId: string, taskId: string): ScanTask | undefined {
    return this.tasks.get(`${projectId}/${taskId}`);
  }

  tasksOf(projectId: string): ScanTask[] {
    return [...this.tasks.values()].filter((task) => task.projectId === projectId);
  }

  addTasks(spec: TaskSpec): ScanTask[] {
    const scans = { ...this.scans, ...spec.scans };
    const built = buildTasks(spec, { seed: this.seed, now: this.now(), scans, existing: this.tasks.size });
    for (const task of built) {
      this.addTask(task);
      if (spec.scans) this.ownScans.set(task, spec.scans);
    }
    return built;
  }

  addTask(task: ScanTask): void {
    this.tasks.set(`${task.projectId}/${task.taskId}`, task);
  }

  rescanRules(task: ScanTask): RescanRules {
    const scans = { ...this.scans, ...this.ownScans.get(task) };
    return { seed: this.seed, scans, renewsStartTime: this.behaviour.renewsStartTime };
  }
}
