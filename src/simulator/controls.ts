import { completeScenario } from './default-scenario.js';
import type { FaultRule } from './fault-rules.js';
import type { ActiveRule } from './faults.js';
import type { LedgerEntry, LedgerFilter } from './ledger.js';
import type { Limits } from './rate-limit.js';
import type { Behaviour, ScanPolicy, ScenarioInput, TaskSpec } from './scenario.js';
import { World } from './world.js';
import { type ClusterView, type TaskView, viewClusters, viewTask, viewTasks } from './world-view.js';

/** Everything that can be done to a running simulator from outside its HTTP contract; tests call it, and so does /__admin/. */
export class Controls {
  private current: World;
  private readonly makeWorld: () => World;

  constructor(scenario: ScenarioInput, seed: number, clock: () => number) {
    const complete = completeScenario(scenario);
    this.makeWorld = () => new World(complete, seed, clock);
    this.current = this.makeWorld();
  }

  /** A call that is under way keeps the world that it began in. */
  world(): World {
    return this.current;
  }

  /** Back to the scenario: tasks, faults, limits, tokens, locked keys and the ledger. */
  reset(): void {
    this.current = this.makeWorld();
  }

  ledger(filter?: LedgerFilter): LedgerEntry[] {
    return this.current.ledger.entries(filter);
  }

  clearLedger(): void {
    this.current.ledger.clear();
  }

  tasks(): TaskView[] {
    return viewTasks(this.current);
  }

  clusters(projectId: string, taskId: string): ClusterView[] {
    return viewClusters(this.current, projectId, taskId);
  }

  addTasks(...specs: TaskSpec[]): TaskView[] {
    const world = this.current;
    return specs.flatMap((spec) => world.addTasks(spec)).map((task) => viewTask(world, task));
  }

  faults(): ActiveRule[] {
    return this.current.faults.list();
  }

  addFaults(...rules: FaultRule[]): ActiveRule[] {
    return this.current.faults.add(rules);
  }

  /** One rule by its id, or all. */
  clearFaults(id?: string): void {
    this.current.faults.clear(id);
  }

  /** Changes what is given, and starts with empty windows. */
  setLimits(patch: Partial<Limits>): Limits {
    const { limits } = this.current;
    const operations = { ...limits.current().operations, ...patch.operations };
    limits.replace({ ...limits.current(), ...patch, operations });
    return limits.current();
  }

  /** Holds for rescans that begin from now on. */
  setScans(patch: Partial<ScanPolicy>): ScanPolicy {
    this.current.scans = { ...this.current.scans, ...patch };
    return this.current.scans;
  }

  setBehaviour(patch: Partial<Behaviour>): Behaviour {
    this.current.behaviour = { ...this.current.behaviour, ...patch };
    return this.current.behaviour;
  }

  expireTokens(): void {
    this.current.tokens.expireAll();
  }
}
