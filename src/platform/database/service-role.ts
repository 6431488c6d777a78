import type pg from 'pg';
import { withSettings } from './with-settings.js';

/** May add to the record of events, and not change it; a migration makes it, and grants it what the service needs. */
export const SERVICE_ROLE = 'rescan_service';

/**
 * The same database, in which every connection is the role from its first statement on, and after RESET ROLE as well. Without JIT:
 * over many months Postgres thinks a short statement dear, and would compile it for seconds each time.
 */
export const asServiceRole = (connectionString: string): string =>
  withSettings(connectionString, { role: SERVICE_ROLE, jit: 'off' });

interface Standing {
  readonly login: string;
  readonly mayTake: boolean | null;
  readonly seesSessions: boolean | null;
}

/**
 * @param login a connection that has not taken the role
 * @throws Error that says what to grant, where the login may not take the role or the role lacks a right that migrations cannot give it
 */
export async function requireServiceRole(login: pg.Client): Promise<void> {
  const { rows } = await login.query<Standing>(`
    SELECT current_user AS login, pg_has_role(current_user, r.oid, 'SET') AS "mayTake",
           pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE') AS "seesSessions"
      FROM (VALUES (1)) AS one LEFT JOIN pg_roles AS r ON r.rolname = '${SERVICE_ROLE}'`);
  const problem = rows[0] && problemOf(rows[0]);
  if (problem) throw new Error(problem);
}

function problemOf({ login, mayTake, seesSessions }: Standing): string | null {
  if (mayTake === null) {
    return `the database has no role ${SERVICE_ROLE}: run "node dist/migrate.main.js" first, which makes it`;
  }
  if (!mayTake) {
    return `the login "${login}" may not take the role ${SERVICE_ROLE}: run GRANT ${SERVICE_ROLE} TO "${login}" as whoever made the role, or as an administrator`;
  }
  if (!seesSessions) {
    return `the role ${SERVICE_ROLE} cannot see when transactions began: run GRANT pg_read_all_stats TO ${SERVICE_ROLE} as an administrator`;
  }
  return null;
}
