import type { EventFields, SealedEvent } from '../domain/sealed-event.js';
import { chainHash, chainStart } from '../sealing/chain.js';

/** A hash that the chain must have at a place, by another word than its own. */
export interface Anchor {
  readonly seq: number;
  readonly hash: string;
  /** Whose word it is. */
  readonly from: string;
}

/** A link as it was found; in a database its event may be gone. */
export interface FoundLink extends Omit<SealedEvent, 'event'> {
  readonly event: EventFields | null;
  readonly anchor?: Anchor | undefined;
}

/** The first thing that is wrong with a chain. */
export interface Finding {
  readonly projectId: string;
  /** Null: it is in no chain. */
  readonly seq: number | null;
  /** Null where nothing stands at this place. */
  readonly eventId: string | null;
  readonly what: 'changed' | 'removed' | 'inserted' | 'reordered' | 'cut' | 'rewritten' | 'forged';
  readonly detail: string;
}

/** The last event of a chain that lies in archives. What is before it may be gone; a few may still be there. */
export interface ChainBase {
  readonly seq: number;
  readonly hash: string;
  /** What an event says of where it lies; null: none says that it was archived. */
  readonly file: string | null;
}

/** What is known of a chain before its first link is looked at. */
export interface ChainBegin {
  readonly projectId: string;
  /** What it must contain. */
  readonly anchors?: readonly Anchor[];
  /**
   * Whether it may begin after its first event and end before its last: then its first link is taken for granted, unless an anchor
   * stands just before it.
   */
  readonly isPart?: boolean;
  readonly base?: ChainBase | null;
  /** The place before its first link; that of a whole chain is known by itself. */
  readonly start?: { readonly seq: number; readonly hash: string } | null;
}

/**
 * Follows one chain, link by link in the order of seq, and finds the first that does not fit. It looks one link ahead: what follows tells
 * whether one was changed, or put in, or stands in the place of its neighbour. Constant memory.
 */
export class ChainCheck {
  readonly projectId: string;
  private readonly anchors: Map<number, Anchor>;
  private readonly isPart: boolean;
  private readonly base: ChainBase | null;
  private end: { seq: number; hash: string } | null;
  /** The good link at the end, and the hash before it. */
  private last: { link: FoundLink; previous: string } | null = null;
  private suspect: FoundLink | null = null;
  isBroken = false;

  constructor({ projectId, anchors = [], isPart = false, base = null, start = null }: ChainBegin) {
    this.projectId = projectId;
    this.anchors = new Map(anchors.map((anchor) => [anchor.seq, anchor]));
    this.isPart = isPart;
    this.base = base;
    this.end = start ?? (isPart || base ? null : { seq: 0, hash: chainStart(projectId) });
  }

  /** Of its last good link; 0 where there is none. */
  get seq(): number {
    return Math.max(this.end?.seq ?? 0, this.base?.seq ?? 0);
  }

  /** @returns the finding, once; nothing more is checked after it */
  next(link: FoundLink): Finding | null {
    if (this.isBroken) return null;
    if (this.suspect) return this.found(this.judge(this.suspect, link));
    if (this.fits(link)) return this.take(link);
    this.suspect = link;
    return null;
  }

  /** After its last link. */
  finish(): Finding | null {
    if (this.isBroken) return null;
    if (this.suspect) return this.found(this.judge(this.suspect, null));
    const { base } = this;
    const atBase = base && this.anchors.get(base.seq);
    if (base && atBase && atBase.hash !== base.hash) {
      const detail = `what lies in archives up to here is another chain than that of ${atBase.from}`;
      return this.found({ projectId: this.projectId, seq: base.seq, eventId: null, what: 'rewritten', detail });
    }
    const missed = Math.max(0, ...this.anchors.keys());
    if (this.isPart || missed <= this.seq) return null;
    const seq = this.seq + 1;
    const detail = `the chain ends at ${this.seq}, and had ${missed} events by ${this.anchors.get(missed)?.from ?? ''}`;
    return this.found({ projectId: this.projectId, seq, eventId: null, what: 'cut', detail });
  }

  private fits(link: FoundLink): boolean {
    if (this.base && link.seq <= this.base.seq) return this.fitsArchived(link, this.base);
    if (this.base && (this.end?.seq ?? 0) < this.base.seq) this.end = this.base;
    if (this.end === null) {
      const start = { seq: 0, hash: chainStart(this.projectId) };
      const before = link.seq === 1 ? start : this.anchors.get(link.seq - 1);
      if (!before) return this.isItself(link);
      this.end = before;
    }
    return link.seq === this.end.seq + 1 && this.isItself(link) && this.hashAfter(this.end.hash, link) === link.hash;
  }

  /** All of it lies in an archive, which proves itself. Of an event that is still here the seal before it is as well. */
  private fitsArchived(link: FoundLink, base: ChainBase): boolean {
    const last = this.end?.seq ?? 0;
    if (link.seq <= last || (link.seq === base.seq && link.hash !== base.hash)) return false;
    if (link.event === null) return true;
    return this.end?.seq === link.seq - 1 && this.isItself(link) && this.hashAfter(this.end.hash, link) === link.hash;
  }

  private take(link: FoundLink): Finding | null {
    this.last = this.end && { link, previous: this.end.hash };
    this.end = { seq: link.seq, hash: link.hash };
    for (const anchor of [this.anchors.get(link.seq), link.anchor]) {
      if (!anchor || anchor.hash === link.hash) continue;
      const detail = `up to here it fits together, and is another chain than that of ${anchor.from}`;
      return this.found({ ...placeOf(link), what: 'rewritten', detail });
    }
    return null;
  }

  private found(finding: Finding): Finding {
    this.isBroken = true;
    return finding;
  }

  /** What is wrong with a link that does not fit, by the one after it. */
  private judge(link: FoundLink, after: FoundLink | null): Finding {
    const end = this.end ?? { seq: link.seq - 1, hash: link.hash };
    const place = placeOf(link);
    if (link.seq > end.seq + 1) {
      if (after?.seq === end.seq + 1) {
        return { ...place, what: 'reordered', detail: `it comes before ${after.seq}` };
      }
      const upTo = link.seq - 1;
      const gone = upTo === end.seq + 1 ? `${upTo} is` : `${end.seq + 1} to ${upTo} are`;
      return { projectId: this.projectId, seq: end.seq + 1, eventId: null, what: 'removed', detail: `${gone} missing` };
    }
    if (link.seq <= end.seq) return { ...place, what: 'inserted', detail: `${link.seq} is there already` };
    if (link.event === null) return { ...place, what: 'removed', detail: 'its event is missing' };
    if (this.last && this.hashAfter(this.last.previous, link) === link.hash) {
      return { ...placeOf(this.last.link), what: 'inserted', detail: 'the chain goes on without it' };
    }
    if (after !== null && this.hashAfter(end.hash, after) === link.hash) {
      return { ...place, what: 'reordered', detail: `the event of ${after.seq} belongs here` };
    }
    if (after !== null && this.hashAfter(end.hash, after) === after.hash) {
      return { ...place, what: 'inserted', detail: 'the chain goes on without it' };
    }
    const detail = this.isItself(link)
      ? 'its hash does not follow from its event and the hash before it'
      : 'its event is not the one that was sealed';
    return { ...place, what: 'changed', detail };
  }

  private isItself({ event, eventId, projectId }: FoundLink): boolean {
    return event !== null && event.id === eventId && (event.projectId ?? '') === projectId;
  }

  private hashAfter(previous: string, { event }: FoundLink): string | null {
    if (event === null) return null;
    try {
      return chainHash(previous, event);
    } catch {
      // What has no canonical form was never sealed.
      return null;
    }
  }
}

const placeOf = ({ projectId, seq, eventId }: FoundLink): Pick<Finding, 'projectId' | 'seq' | 'eventId'> => ({
  projectId,
  seq,
  eventId,
});
