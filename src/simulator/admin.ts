import { type Answer, json } from './answers.js';
import type { Controls } from './controls.js';
import { readFaultRule } from './fault-rules.js';
import { InvalidInput, listOf, oneOf, type Reader } from './reading.js';
import { operations } from './routing.js';
import { readBehaviour, readLimits, readScans, readTaskSpec } from './scenario-readers.js';

export const ADMIN_PREFIX = '/__admin/';

interface AdminCall {
  readonly query: URLSearchParams;
  readonly body: string;
}

type Route = (controls: Controls, call: AdminCall) => Answer;

const done: Answer = { status: 204, headers: {}, body: '', code: null };

const routes: Readonly<Record<string, Route>> = {
  'GET ledger': (controls, { query }) => {
    const operation = query.get('operation');
    const since = Number(query.get('since') ?? 0);
    if (!Number.isSafeInteger(since)) throw new InvalidInput('since must be a whole number');
    const filter = operation === null ? { since } : { since, operation: oneOf(operations)(operation, 'operation') };
    return json(200, { entries: controls.ledger(filter) });
  },
  'DELETE ledger': (controls) => {
    controls.clearLedger();
    return done;
  },
  'GET state': (controls, { query }) => json(200, { tasks: state(controls, query) }),
  'GET faults': (controls) => json(200, { faults: controls.faults() }),
  'POST faults': (controls, { body }) => {
    return json(201, { faults: controls.addFaults(...oneOrMore(readFaultRule)(parsed(body), 'fault')) });
  },
  'DELETE faults': (controls, { query }) => {
    controls.clearFaults(query.get('id') ?? undefined);
    return done;
  },
  'POST tasks': (controls, { body }) => {
    return json(201, { tasks: controls.addTasks(...oneOrMore(readTaskSpec)(parsed(body), 'task')) });
  },
  'PATCH limits': (controls, { body }) => json(200, controls.setLimits(readLimits(parsed(body), 'limits'))),
  'PATCH scans': (controls, { body }) => json(200, controls.setScans(readScans(parsed(body), 'scans'))),
  'PATCH behaviour': (controls, { body }) => json(200, controls.setBehaviour(readBehaviour(parsed(body), 'behaviour'))),
  'POST expire-tokens': (controls) => {
    controls.expireTokens();
    return done;
  },
  'POST reset': (controls) => {
    controls.reset();
    return done;
  },
};

/** A tool for the one who runs the simulator: it knows no credentials, and no limit counts its calls. */
export function administer(controls: Controls, method: string, path: string, call: AdminCall): Answer {
  const route = routes[`${method} ${path.slice(ADMIN_PREFIX.length)}`];
  if (!route) return json(404, { error: 'no such admin route', routes: Object.keys(routes) });
  try {
    return route(controls, call);
  } catch (error) {
    if (error instanceof InvalidInput) return json(400, { error: error.message });
    throw error;
  }
}

/** Clusters come for one task, or when all are asked for: there can be hundreds of thousands. */
function state(controls: Controls, query: URLSearchParams): unknown[] {
  const [projectId, taskId] = [query.get('projectId'), query.get('taskId')];
  const found = controls
    .tasks()
    .filter(
      (task) => (projectId === null || task.projectId === projectId) && (taskId === null || task.taskId === taskId),
    );
  if (taskId === null && query.get('clusters') !== 'true') return found;
  return found.map((task) => ({ ...task, clusters: controls.clusters(task.projectId, task.taskId) }));
}

function oneOrMore<T>(read: Reader<T>): Reader<T[]> {
  return (value, what) => (Array.isArray(value) ? listOf(read)(value, what) : [read(value, what)]);
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new InvalidInput('the body must be JSON');
  }
}
