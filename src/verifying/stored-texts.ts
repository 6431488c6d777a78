import { createHash } from 'node:crypto';
import type { PrismaService } from '../platform/prisma/prisma.service.js';
import type { Finding } from './chain-check.js';

const PAGE = 500;

interface StoredText {
  /** Its key, in hex: what events name it by. */
  readonly hash: string;
  readonly text: string | null;
  readonly isRedacted: boolean;
}

/**
 * Texts of the upstream. Chains have their hashes alone, so whoever changes a text leaves all chains as they were. A page at a time, and
 * with nothing but plain selects, as chains are read.
 */
export class StoredTexts {
  constructor(private readonly prisma: PrismaService) {}

  /** The first text that is not the one of its hash, and the first that is not there. */
  async findings(): Promise<Finding[]> {
    const findings = [await this.firstChanged(), await this.firstMissing()];
    return findings.filter((finding) => finding !== null);
  }

  private async firstChanged(): Promise<Finding | null> {
    for (let after = ''; ;) {
      const texts = await this.prisma.$queryRaw<StoredText[]>`
        SELECT encode(hash, 'hex') AS hash, text, redacted_at IS NOT NULL AS "isRedacted" FROM event_text
         WHERE hash > decode(${after}, 'hex') ORDER BY hash LIMIT ${PAGE}::int`;
      for (const { hash, text, isRedacted } of texts) {
        if (text === null && isRedacted) continue;
        if (text === null) return this.about(hash, 'removed', 'is gone, and was not redacted');
        if (sha256(text) !== hash) return this.about(hash, 'changed', 'is another one now');
      }
      const last = texts.at(-1);
      if (!last) return null;
      after = last.hash;
    }
  }

  /**
   * Of those that an event names. Each is looked for once, however many events name it: the index is stepped through from text to text.
   * As EXISTS, Postgres would read all texts for each page.
   */
  private async firstMissing(): Promise<Finding | null> {
    for (let after = ''; ;) {
      const texts = await this.prisma.$queryRaw<{ hash: string; isThere: boolean }[]>`
        WITH RECURSIVE named (hash, n) AS (
          (SELECT text_hash, 1 FROM event WHERE text_hash > decode(${after}, 'hex') ORDER BY text_hash, id LIMIT 1)
           UNION ALL
          SELECT next.text_hash, n + 1 FROM named CROSS JOIN LATERAL (
            SELECT text_hash FROM event WHERE text_hash > named.hash ORDER BY text_hash, id LIMIT 1) AS next
           WHERE n < ${PAGE}::int)
        SELECT encode(hash, 'hex') AS hash, (SELECT t.hash FROM event_text AS t WHERE t.hash = named.hash) IS NOT NULL AS "isThere"
          FROM named ORDER BY n`;
      const missing = texts.find(({ isThere }) => !isThere);
      if (missing) return this.about(missing.hash, 'removed', 'is missing');
      const last = texts.at(-1);
      if (!last) return null;
      after = last.hash;
    }
  }

  /** Its place is that of the first event that names it, if there is one still. */
  private async about(hash: string, what: Finding['what'], detail: string): Promise<Finding> {
    const [event] = await this.prisma.$queryRaw<{ id: string; projectId: string }[]>`
      SELECT id, coalesce(project_id, '') AS "projectId" FROM event WHERE text_hash = decode(${hash}, 'hex') ORDER BY id LIMIT 1`;
    const { projectId = '', id: eventId = null } = event ?? {};
    return { projectId, seq: null, eventId, what, detail: `the text with the hash ${hash} ${detail}` };
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');
