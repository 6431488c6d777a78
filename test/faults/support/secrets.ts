import type { FaultWorld } from './world.js';

/** Where one of the world's secrets shows: in a table, in Redis, in a log, in a metric or in an answer. Never the secret itself. */
export async function leaks(world: FaultWorld, answers: readonly string[]): Promise<string[]> {
  const { secrets, postgres, members } = world;
  const found: string[] = [...world.overheard];
  const search = (where: string, text: string): void => {
    for (const [index, secret] of secrets.entries())
      if (text.includes(secret)) found.push(`secret ${index} in ${where}`);
  };
  const tables = await postgres.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
      WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'evidence')`,
  );
  for (const { name } of tables) {
    const rows = await postgres.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM ${name} AS t, unnest($1::text[]) AS secret WHERE strpos(t::text, secret) > 0`,
      [secrets],
    );
    if ((rows[0]?.n ?? 0) > 0) found.push(`${name}: ${rows[0]?.n} rows`);
  }
  for (const [key, dump] of await world.redis.copy()) search(`Redis key ${key}`, `${key} ${dump.toString('latin1')}`);
  for (const member of members) search(`log of ${member.name}`, member.allLogs());
  for (const member of members.filter(({ alive }) => alive)) {
    const metrics = await fetch(`${member.url}/metrics`, { headers: { connection: 'close' } }).catch(() => null);
    if (metrics) search(`metrics of ${member.name}`, await metrics.text());
  }
  for (const answer of answers) search('an answer', answer);
  return [...new Set(found)];
}
