const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Lengths as HSS takes them. */
export const ID_LENGTH = { project: 256, enterpriseProject: 256, task: 64, cluster: 64 } as const;

/**
 * An id of the upstream's: visible ASCII, which goes unchanged through a URL (encoded), a log and a database, and never
 * a dot segment, which a URL would lose.
 */
export function isUpstreamId(text: unknown, maxLength: number): text is string {
  if (typeof text !== 'string' || text.length < 1 || text.length > maxLength || text === '.' || text === '..')
    return false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x21 || code > 0x7e) return false;
  }
  return true;
}

export function isUuid(text: string): boolean {
  return UUID.test(text);
}
