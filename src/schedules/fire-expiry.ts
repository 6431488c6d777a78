/** As many scan tasks as a fire may read take half of it at five calls a minute; after it their failures are old. */
const MAX_FIRE_MS = 12 * 3_600_000;

export const fireExpiry = (now: Date): Date => new Date(now.getTime() + MAX_FIRE_MS);
