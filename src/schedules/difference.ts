import type { ScheduleOrder } from '../ledger/schedules.js';

type Switched = ScheduleOrder & { readonly enabled: boolean };

/** What a change came to, by field: from what, to what. Fields that stay are left out. */
export function differenceOf(before: Switched, after: Switched): Record<string, { from: unknown; to: unknown }> {
  const [from, to] = [flat(before), flat(after)];
  const fields = Object.keys(to).filter((field) => canonical(from[field]) !== canonical(to[field]));
  return Object.fromEntries(fields.map((field) => [field, { from: from[field], to: to[field] }]));
}

const flat = ({ name, enterpriseProjectId, enabled, terms }: Switched): Record<string, unknown> => ({
  name,
  enterpriseProjectId,
  enabled,
  ...terms,
});

/** The database gives the keys of its JSON back in an order of its own. */
function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
