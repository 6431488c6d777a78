import type pg from 'pg';

/** What a database is made of, as far as Prisma knows of it: from a name to its definition. */
export type Structure = ReadonlyMap<string, string>;

/** Partitions follow their parent, and Prisma knows only that. */
const OURS = `c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND c.relname <> '_prisma_migrations'`;

const QUERIES = [
  `SELECT 'enum ' || t.typname AS name, string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) AS definition
     FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname`,
  `SELECT 'column ' || c.relname || '.' || a.attname AS name,
          concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                    'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), 'IDENTITY ' || nullif(a.attidentity::text, '')) AS definition
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE ${OURS} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped`,
  `SELECT 'constraint ' || c.relname || '.' || k.conname AS name, pg_get_constraintdef(k.oid) AS definition
     FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid
    WHERE ${OURS} AND k.contype IN ('p', 'u', 'f')`,
  `SELECT 'index ' || i.relname AS name, pg_get_indexdef(i.oid) AS definition
     FROM pg_class c JOIN pg_index x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid WHERE ${OURS}`,
];

export async function readStructure(database: pg.Client): Promise<Structure> {
  const structure = new Map<string, string>();
  for (const query of QUERIES) {
    const { rows } = await database.query<{ name: string; definition: string }>(query);
    for (const { name, definition } of rows) structure.set(name, plain(definition));
  }
  return structure;
}

/** Without what Prisma cannot say: the fill factor, and that an index is the parent of its partitions' indexes. */
function plain(definition: string): string {
  return definition.replace(' ON ONLY ', ' ON ').replace(/ WITH \([^)]*\)/, '');
}

/** One line for each difference, in the order of the names. */
export function differences(migrated: Structure, schema: Structure): string[] {
  const names = [...new Set([...migrated.keys(), ...schema.keys()])].sort();
  return names.flatMap((name) => {
    const [left, right] = [migrated.get(name), schema.get(name)];
    if (left === right) return [];
    if (right === undefined) return [`${name}: only the migrations have it: ${left}`];
    if (left === undefined) return [`${name}: only the schema has it: ${right}`];
    return [`${name}: the migrations say "${left}", the schema says "${right}"`];
  });
}
