import { randomUUID } from 'node:crypto';
import { eventually, type EventuallyOptions } from './eventually.js';
import type {
  CallView,
  Counts,
  FireView,
  LaneView,
  PageView,
  ProblemView,
  RequestView,
  ScheduleView,
  TargetView,
} from './wire-types.js';

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export interface NewRequest {
  readonly projectId: string;
  readonly taskId: string;
  readonly range: string;
  readonly clusterIds?: readonly string[];
  readonly [field: string]: unknown;
}

/** Speaks for one API key. What is named after a thing expects that thing; `get`, `post` and `try...` take any answer. */
export class ApiClient {
  constructor(
    readonly baseUrl: string,
    readonly key: string,
  ) {}

  get<T = any>(path: string): Promise<Answer<T>> {
    return this.send('GET', path);
  }

  post<T = any>(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> {
    return this.send('POST', path, body, headers);
  }

  trySubmit(body: NewRequest, idempotencyKey: string = randomUUID()): Promise<Answer<RequestView & ProblemView>> {
    return this.post('/v1/requests', body, { 'idempotency-key': idempotencyKey });
  }

  async submit(body: NewRequest, idempotencyKey?: string): Promise<RequestView> {
    return expected(await this.trySubmit(body, idempotencyKey), 202);
  }

  cancel(id: string): Promise<Answer<RequestView & ProblemView>> {
    return this.post(`/v1/requests/${id}/cancel`);
  }

  replay(
    id: string,
    body: object = {},
    idempotencyKey: string = randomUUID(),
  ): Promise<Answer<RequestView & ProblemView>> {
    return this.post(`/v1/requests/${id}/replay`, body, { 'idempotency-key': idempotencyKey });
  }

  async request(id: string): Promise<RequestView> {
    return expected(await this.get<RequestView>(`/v1/requests/${id}`), 200);
  }

  async createSchedule(body: object): Promise<ScheduleView> {
    return expected(await this.post<ScheduleView>('/v1/schedules', body), 201);
  }

  async fireSchedule(id: string): Promise<FireView> {
    return expected(await this.post<FireView>(`/v1/schedules/${id}/fire`), 202);
  }

  async fire(id: string): Promise<FireView> {
    return expected(await this.get<FireView>(`/v1/fires/${id}`), 200);
  }

  /** All of them, whatever the page size. */
  targets(id: string, query = ''): Promise<TargetView[]> {
    return this.all<TargetView>(`/v1/requests/${id}/targets?limit=200${query}`);
  }

  /** Newest first. */
  calls(id: string): Promise<CallView[]> {
    return this.all<CallView>(`/v1/requests/${id}/calls?limit=200`);
  }

  async call(id: string): Promise<CallView> {
    return expected(await this.get<CallView>(`/v1/calls/${id}`), 200);
  }

  async lane(id = 'main.retryTask'): Promise<LaneView> {
    const { items } = expected(await this.get<{ items: LaneView[] }>('/v1/lanes'), 200);
    const lane = items.find((one) => one.id === id);
    if (!lane) throw new Error(`no lane ${id}`);
    return lane;
  }

  /** Everything behind a list, page by page. @param between runs after each page but the last */
  async all<T>(path: string, between?: () => Promise<void>): Promise<T[]> {
    const found: T[] = [];
    for (let cursor: string | null = null; ;) {
      const join = path.includes('?') ? '&' : '?';
      const page: PageView<T> = expected(
        await this.get(cursor === null ? path : `${path}${join}cursor=${cursor}`),
        200,
      );
      found.push(...page.items);
      if (page.nextCursor === null) return found;
      cursor = page.nextCursor;
      await between?.();
    }
  }

  /** Waits until a request has come to this. At each moment at which it is looked at, its counts add up. */
  until(
    id: string,
    isThere: (request: RequestView) => boolean | Promise<boolean>,
    options?: EventuallyOptions,
  ): Promise<RequestView> {
    return eventually(async () => {
      const request = await this.request(id);
      if (sumOf(request.counts) !== request.counts.total) {
        throw new Error(`counts that do not add up: ${JSON.stringify(request.counts)}`);
      }
      if (!(await isThere(request)))
        throw new Error(`not there yet: ${request.state} ${JSON.stringify(request.counts)}`);
      return request;
    }, options);
  }

  untilAllAccepted(id: string, options?: EventuallyOptions): Promise<RequestView> {
    return this.until(id, ({ counts }) => counts.accepted === counts.total, options);
  }

  async send<T = any>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const answer = await fetch(this.baseUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        // Services come and go on a port: a connection that is kept would be that of the one before.
        connection: 'close',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get('content-type') ?? '');
    return { status: answer.status, headers: answer.headers, body: (isJson ? JSON.parse(text) : text) as T };
  }
}

export function sumOf({ total: _total, ...parts }: Counts): number {
  return Object.values(parts).reduce((sum, part) => sum + part, 0);
}

function expected<T>({ status, body }: Answer<T>, wanted: number): T {
  if (status !== wanted) throw new Error(`${status} instead of ${wanted}: ${JSON.stringify(body)}`);
  return body;
}
