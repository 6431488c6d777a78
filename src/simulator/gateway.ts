import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, errorAnswer, type ErrorSpec } from './answers.js';
import { uuidFrom } from './chance.js';
import { createToken } from './create-token.js';
import { applyEffect, type Delivery, plain, throttleAnswer } from './fault-effects.js';
import { touchesClusters } from './fault-target.js';
import type { Work } from './fault-rules.js';
import { carryOut, type Worked } from './hss.js';
import { type Entry, withoutSecrets } from './ledger.js';
import { route, type Route } from './routing.js';
import type { ScenarioCredential } from './scenario.js';
import type { World } from './world.js';

export interface Arrival {
  /** On the simulator's clock. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly remoteAddress: string;
  readonly body: Buffer;
}

export interface Handled {
  readonly delivery: Delivery;
  readonly entry: Entry;
  readonly requestId: string;
}

interface Caller {
  readonly credential: ScenarioCredential;
  /** The only project that a token is for. */
  readonly projectId: string | null;
}

/** An arrival that has been written down, with the route it took. */
interface Visit {
  readonly world: World;
  readonly arrival: Arrival;
  readonly route: Route;
  readonly bodySha256: string;
  readonly entry: Entry;
  readonly requestId: string;
}

/** What a request goes through: route, credential, limits, faults, and only then the work itself. */
export async function handle(world: World, arrival: Arrival): Promise<Handled> {
  const found = route(arrival.method, arrival.path);
  const bodySha256 = createHash('sha256').update(arrival.body).digest('hex');
  const entry = record(world, arrival, found, bodySha256);
  const requestId = uuidFrom('request', world.seed, entry.seq);
  if (!found) {
    return { delivery: plain(errorAnswer({ status: 404, code: 'APIGW.0101' }, requestId)), entry, requestId };
  }
  const visit: Visit = { world, arrival, route: found, bodySha256, entry, requestId };
  return { delivery: await admit(visit), entry, requestId };
}

function record(world: World, arrival: Arrival, found: Route | null, bodySha256: string): Entry {
  // Anything near IAM's path may hold a password, also when it is misspelt.
  const secret = arrival.path.includes('/auth/tokens');
  return world.ledger.open({
    at: arrival.at,
    operation: found?.operation ?? null,
    projectId: found?.projectId || null,
    taskId: found?.taskId || null,
    method: arrival.method,
    path: arrival.path,
    query: arrival.query,
    headers: withoutSecrets(arrival.headers),
    remoteAddress: arrival.remoteAddress,
    credential: null,
    authenticatedBy: null,
    body: secret || !world.ledger.keepsBodies() ? null : arrival.body.toString('utf8'),
    bodySha256: secret ? null : bodySha256,
    faults: [],
    clustersTaken: [],
    reply: null,
  });
}

async function admit(visit: Visit): Promise<Delivery> {
  const caller = identify(visit);
  if (caller && 'code' in caller) return plain(errorAnswer(caller, visit.requestId));
  const throttled = throttle(visit, caller);
  return throttled ? plain(throttled) : serve(visit, caller);
}

/** Null: nobody needs to be known, since the call is for a token. */
function identify({ world, arrival, route, bodySha256, entry }: Visit): Caller | ErrorSpec | null {
  if (route.operation === 'CreateToken') return null;
  const result = world.authenticator.authenticate({ ...arrival, bodySha256 }, arrival.at);
  if (result.kind === 'refused') return result.error;
  entry.credential = result.credential.name;
  entry.authenticatedBy = result.by;
  return result;
}

function throttle({ world, arrival, route, requestId }: Visit, caller: Caller | null): Answer | null {
  const user = caller?.credential.name ?? arrival.remoteAddress;
  const throttled = world.limits.arrive(route.operation, user, arrival.remoteAddress, arrival.at);
  if (!throttled) return null;
  const { policy, limit, retryAfterMs } = throttled;
  const retryAfter = world.limits.current().retryAfter ? { retryAfter: String(Math.ceil(retryAfterMs / 1_000)) } : {};
  return throttleAnswer(policy, { limit: limit.calls, windowMs: limit.windowMs, ...retryAfter }, requestId);
}

async function serve(visit: Visit, caller: Caller | null): Promise<Delivery> {
  const { world, arrival, route, entry, requestId } = visit;
  const body = parsed(arrival);
  const hit = world.faults.hit({
    operation: route.operation,
    taskId: route.taskId,
    credential: caller?.credential.name ?? null,
    touches: (clusterIds) => touchesClusters(world, route, body, clusterIds),
  });
  entry.faults = hit.rules;
  const work = (share: Exclude<Work, 'none'>): Answer => {
    const { answer, taken } = perform(visit, caller, body, share);
    entry.clustersTaken = taken;
    return answer;
  };
  const expireToken = (): void => world.tokens.expire(String(arrival.headers['x-auth-token'] ?? ''));

  if (hit.beforeMs > 0) await sleep(hit.beforeMs, undefined, { ref: false });
  const delivery = hit.decisive
    ? applyEffect(hit.decisive, { requestId, carryOut: work, expireToken })
    : plain(work('all'));
  if (hit.afterMs > 0) await sleep(hit.afterMs, undefined, { ref: false });
  return delivery;
}

function perform(visit: Visit, caller: Caller | null, body: unknown, share: Exclude<Work, 'none'>): Worked {
  const { world, arrival, route, requestId } = visit;
  const { operation, projectId, taskId } = route;
  const query = new URLSearchParams(arrival.query);
  if (operation === 'CreateToken') {
    return { answer: createToken(body, query, world.scenario, world.tokens, world.now()), taken: [] };
  }
  if (!caller || !mayTouch(caller, projectId)) {
    return { answer: errorAnswer({ status: 400, code: 'HSS.0010' }, requestId), taken: [] };
  }
  return carryOut(world, operation, { projectId, taskId, query, body }, share, requestId);
}

function mayTouch(caller: Caller, projectId: string): boolean {
  const { projects } = caller.credential;
  return (caller.projectId ?? projectId) === projectId && (projects === '*' || projects.includes(projectId));
}

/** Undefined when there is no body, it is no JSON, or it does not say that it is. */
function parsed(arrival: Arrival): unknown {
  if (!/^application\/json\b/i.test(arrival.headers['content-type'] ?? '')) return undefined;
  try {
    return JSON.parse(arrival.body.toString('utf8'));
  } catch {
    return undefined;
  }
}
