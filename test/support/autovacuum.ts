import type pg from 'pg';

/** What an autovacuum does in time: it takes each table and each month, but never the table that the months are of. */
export async function autovacuum(client: Pick<pg.Client, 'query'>): Promise<void> {
  const { rows } = await client.query<{ tables: string }>(
    `SELECT string_agg(oid::regclass::text, ', ') AS tables FROM pg_class
      WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
  );
  await client.query(`VACUUM ANALYZE ${rows[0]?.tables}`);
}
