import type { ApiClient } from '../../support/api-client.js';
import { eventually } from '../../support/eventually.js';
import type { FaultWorld } from './world.js';

/** Their scan tasks are nobody else's: under the load, all of its own are live at most times. */
const SIZES = [4, 4, 4, 4, 4, 4, 4, 4];
const MINUTE_MS = 60_000;

/** Schedules that fire while a run goes on. What they request is judged like all that is requested. */
export class StandingOrders {
  private constructor(private readonly orders: readonly { readonly id: string; readonly api: ApiClient }[]) {}

  /** Each fires once a minute, the shortest there is, and one after the other. */
  static async begin(world: FaultWorld, count: number): Promise<StandingOrders> {
    const tasks = world.tasks(SIZES);
    const orders: { id: string; api: ApiClient }[] = [];
    for (let n = 0; n < count; n += 1) {
      const [client, task] = [world.clients[n % world.clients.length], tasks[n % tasks.length]];
      if (!client || !task) throw new Error('a world without clients or tasks');
      const { projectId, taskId } = task;
      const order = { name: `${taskId} ${n}`, projectId, selection: { taskIds: [taskId] }, every: '1m' };
      const { id } = await client.api.createSchedule(order);
      orders.push({ id, api: client.api });
      await aged(world, id, MINUTE_MS - (n * MINUTE_MS) / count);
    }
    return new StandingOrders(orders);
  }

  /** Nothing more is due, and nothing more is read. */
  async end(): Promise<void> {
    for (const { id, api } of this.orders) {
      await eventually(
        async () => {
          const answer = await api.send('DELETE', `/v1/schedules/${id}`).catch(() => null);
          return answer?.status === 204 || answer?.status === 404;
        },
        { limitMs: 20_000 },
      );
    }
  }
}

/** As if it had been made so much earlier. */
async function aged({ postgres }: FaultWorld, id: string, ms: number): Promise<void> {
  await postgres.query(
    `UPDATE schedule
        SET anchor_at = anchor_at - $2 * interval '1 ms', next_due_at = next_due_at - $2 * interval '1 ms',
            next_fire_at = next_fire_at - $2 * interval '1 ms'
      WHERE id = $1`,
    [id, ms],
  );
}
