/** The SQLSTATE of a database error, wherever Prisma and its driver adapter put it; null for any other error. */
export function sqlState(error: unknown): string | null {
  for (let at: unknown = error, depth = 0; at !== null && typeof at === 'object' && depth < 6; depth += 1) {
    const { originalCode, code, meta, driverAdapterError, cause } = at as Record<string, unknown>;
    for (const candidate of [originalCode, code]) {
      if (typeof candidate === 'string' && /^[0-9A-Z]{5}$/.test(candidate) && !/^P\d{4}$/.test(candidate))
        return candidate;
    }
    // P2034 is Prisma's own word for a write conflict or a deadlock.
    if (code === 'P2034') return '40001';
    at = driverAdapterError ?? (meta as Record<string, unknown> | undefined)?.['driverAdapterError'] ?? cause ?? meta;
  }
  return null;
}
