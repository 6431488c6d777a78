import { chance } from './chance.js';
import type { FaultEffect, FaultRule } from './fault-rules.js';
import type { Operation } from './routing.js';

interface FaultTarget {
  readonly operation: Operation;
  readonly taskId: string;
  readonly credential: string | null;
  /** Asked for only by rules that name clusters: for a whole task this means a walk over it. */
  readonly touches: (clusterIds: readonly string[]) => boolean;
}

/** A rule in force. */
export interface ActiveRule extends FaultRule {
  readonly id: string;
  /** Calls that it may still hit; null: any number. */
  readonly left: number | null;
}

export type DecisiveEffect = Exclude<FaultEffect, { kind: 'latency' }>;

interface Hit {
  readonly beforeMs: number;
  readonly afterMs: number;
  readonly decisive: DecisiveEffect | null;
  /** Ids of the rules that hit. */
  readonly rules: readonly string[];
}

const noHit: Hit = { beforeMs: 0, afterMs: 0, decisive: null, rules: [] };

type Mutable = { rule: FaultRule; id: string; left: number | null; seen: number };

export class Faults {
  private rules: Mutable[] = [];
  private count = 0;

  constructor(private readonly seed: number) {}

  add(rules: readonly FaultRule[]): ActiveRule[] {
    const added = rules.map((rule) => {
      this.count += 1;
      const left = rule.times === undefined ? 1 : rule.times;
      return { rule, id: rule.id ?? `fault-${this.count}`, left, seen: 0 };
    });
    this.rules.push(...added);
    return added.map(activeRule);
  }

  list(): ActiveRule[] {
    return this.rules.map(activeRule);
  }

  /** One rule, or all. */
  clear(id?: string): void {
    this.rules = id === undefined ? [] : this.rules.filter((rule) => rule.id !== id);
  }

  /** Uses up the rules that hit this call: every latency, and the first of all others. */
  hit(target: FaultTarget): Hit {
    let hit = noHit;
    for (const rule of this.rules) {
      const { effect } = rule.rule;
      if (effect.kind !== 'latency' && hit.decisive) continue;
      if (!matches(rule.rule, target) || !this.drawn(rule)) continue;
      if (rule.left !== null) rule.left -= 1;
      hit = withEffect(hit, effect, rule.id);
    }
    if (hit.rules.length > 0) this.rules = this.rules.filter(({ left }) => left !== 0);
    return hit;
  }

  private drawn(rule: Mutable): boolean {
    rule.seen += 1;
    const { probability } = rule.rule;
    return probability === undefined || chance(this.seed, 'fault', rule.id, rule.seen) < probability;
  }
}

function activeRule({ rule, id, left }: Mutable): ActiveRule {
  return { ...rule, id, left };
}

function matches(rule: FaultRule, target: FaultTarget): boolean {
  return (
    (rule.operation === undefined || rule.operation === target.operation) &&
    (rule.taskId === undefined || rule.taskId === target.taskId) &&
    (rule.credential === undefined || rule.credential === target.credential) &&
    (rule.clusterId === undefined || target.touches([rule.clusterId])) &&
    (rule.effect.kind !== 'poison' || target.touches(rule.effect.clusterIds))
  );
}

function withEffect(hit: Hit, effect: FaultEffect, id: string): Hit {
  const rules = [...hit.rules, id];
  if (effect.kind !== 'latency') return { ...hit, decisive: effect, rules };
  return effect.when === 'after_work'
    ? { ...hit, afterMs: hit.afterMs + effect.ms, rules }
    : { ...hit, beforeMs: hit.beforeMs + effect.ms, rules };
}
