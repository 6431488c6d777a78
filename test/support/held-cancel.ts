import type { CallingWorld } from './calling-world.js';
import { eventually } from './eventually.js';

/** Somebody waits for a lock. */
export const isBlocked = ({ prisma }: CallingWorld): Promise<unknown> =>
  eventually(async () => {
    const rows = await prisma.$queryRaw<unknown[]>`SELECT 1 FROM pg_locks WHERE NOT granted`;
    return rows.length > 0;
  });

/** Cancels a request of one target, and commits only once somebody waits for it. Resolves while it holds its locks. */
export async function cancelHeld(
  world: CallingWorld,
  requestId: string,
): Promise<{ readonly committed: Promise<void> }> {
  let locked = false;
  const committed = world.prisma.$transaction(async (tx) => {
    await tx.$executeRaw`
      UPDATE target SET state = 'done', result = 'cancelled', reason_code = 'cancelled' WHERE request_id = ${requestId}::uuid`;
    await tx.$executeRaw`
      UPDATE request SET waiting = 0, cancelled = 1, state = 'cancelled', finished_at = now(), next_due_at = 'infinity',
             accepted_at = now() WHERE id = ${requestId}::uuid`;
    locked = true;
    await isBlocked(world);
  });
  await eventually(() => locked);
  return { committed };
}
