import type { KeyObject } from 'node:crypto';
import type { ArchivedChain } from '../domain/record-month.js';
import type { SealHead } from '../domain/seal-head.js';
import { chainStart } from '../sealing/chain.js';
import { isSignedBy } from '../sealing/head-signature.js';
import type { PrismaService } from '../platform/prisma/prisma.service.js';
import { ChainCheck, type Anchor, type ChainBase, type ChainBegin, type Finding } from './chain-check.js';
import { readExport } from './export-file.js';
import { SealedRows } from './sealed-rows.js';
import { StoredTexts } from './stored-texts.js';

export interface Evidence {
  /** Heads that were kept elsewhere. */
  readonly heads: readonly SealHead[];
  /** What they, and those in the database, must be signed with; null: signatures are not looked at. */
  readonly publicKey: KeyObject | null;
  /** Whether an export may hold chains that begin or end in the middle. */
  readonly isPart: boolean;
  /** What the manifest of an archive says: it has these chains, each from one place to the other, and no others. */
  readonly archived?: readonly ArchivedChain[];
}

export interface Report {
  events: number;
  /** Where each chain ends that is whole. */
  readonly ends: { readonly projectId: string; readonly seq: number; readonly base?: ChainBase }[];
  /** The first of each chain that is not, and of texts. */
  readonly findings: Finding[];
  /** Kept heads of what lies in archives: they are to be held against those. */
  readonly unchecked: { readonly projectId: string; readonly seq: number }[];
}

/** Every chain of a database, its events that are in none, its heads, and the texts that events name. A chain at a time, a page at a time. */
export async function verifyDatabase(prisma: PrismaService, evidence: Evidence): Promise<Report> {
  const rows = new SealedRows(prisma);
  const report = reportOn(evidence);
  const seen = new Set<string>();
  for await (const { projectId, anchors, base } of rows.chains()) {
    seen.add(projectId);
    const check = new ChainCheck({ projectId, anchors: [...anchors, ...anchorsOf(projectId, evidence)], base });
    for await (const { head, ...link } of rows.links(projectId)) {
      report.events += 1;
      const anchor = head && { ...head, from: 'the head in the database' };
      const finding = check.next({ ...link, anchor }) ?? (head ? forgery(head, evidence) : null);
      if (!finding) continue;
      report.findings.push(finding);
      break;
    }
    if (base)
      report.unchecked.push(...evidence.heads.filter((head) => head.projectId === projectId && head.seq < base.seq));
    if (base?.file === null && !check.isBroken) report.findings.push(unsaid(projectId, base));
    else close(report, check, base);
  }
  missing(report, seen, evidence);
  const unsealed = await rows.unsealed();
  if (unsealed) {
    const detail = 'it should be sealed by now, and is in no chain';
    report.findings.push({ projectId: unsealed.projectId, seq: null, eventId: unsealed.id, what: 'inserted', detail });
  }
  report.findings.push(...(await new StoredTexts(prisma).findings()));
  return report;
}

/** Chains in an export may be mixed, each in its own order. @throws Unreadable */
export async function verifyExport(path: string, evidence: Evidence): Promise<Report> {
  const report = reportOn(evidence);
  const checks = new Map<string, ChainCheck>();
  for await (const link of readExport(path)) {
    report.events += 1;
    const { projectId } = link;
    const check = checks.get(projectId) ?? new ChainCheck(beginOf(projectId, evidence));
    checks.set(projectId, check);
    const finding = check.next(link);
    if (finding) report.findings.push(finding);
  }
  for (const check of checks.values()) close(report, check);
  missing(report, new Set(checks.keys()), evidence);
  return report;
}

function reportOn(evidence: Evidence): Report {
  const findings = evidence.heads.map((head) => forgery(head, evidence)).filter((finding) => finding !== null);
  return { events: 0, ends: [], findings, unchecked: [] };
}

function close({ findings, ends }: Report, check: ChainCheck, base: ChainBase | null = null): void {
  const finding = check.finish();
  if (finding) findings.push(finding);
  else if (!check.isBroken) ends.push({ projectId: check.projectId, seq: check.seq, ...(base && { base }) });
}

function unsaid(projectId: string, { seq }: ChainBase): Finding {
  const detail = `1 to ${seq} are said to be archived, and no event says so`;
  return { projectId, seq: 1, eventId: null, what: 'removed', detail };
}

/** Chains of which there is a kept head and nothing else. */
function missing(report: Report, seen: ReadonlySet<string>, evidence: Evidence): void {
  if (evidence.isPart) return;
  const known = evidence.archived ?? evidence.heads;
  const gone = new Set(known.map(({ projectId }) => projectId).filter((projectId) => !seen.has(projectId)));
  for (const projectId of gone) close(report, new ChainCheck(beginOf(projectId, evidence)));
}

function beginOf(projectId: string, evidence: Evidence): ChainBegin {
  const anchors = anchorsOf(projectId, evidence);
  const chain = evidence.archived?.find((one) => one.projectId === projectId);
  if (!chain) return { projectId, isPart: evidence.isPart, anchors };
  const { afterSeq, afterHash, seq, hash } = chain;
  const start = { seq: afterSeq, hash: afterHash ?? chainStart(projectId) };
  // Heads of other times say nothing of it.
  const within = anchors.filter((anchor) => anchor.seq > afterSeq && anchor.seq <= seq);
  return { projectId, start, anchors: [...within, { seq, hash, from: 'the manifest' }] };
}

const anchorsOf = (projectId: string, { heads }: Evidence): Anchor[] =>
  heads
    .filter((head) => head.projectId === projectId)
    .map(({ seq, hash, at }) => ({ seq, hash, from: `the kept head of ${at}` }));

function forgery(head: SealHead, { publicKey }: Evidence): Finding | null {
  if (!publicKey || isSignedBy(head, publicKey)) return null;
  const { projectId, seq, at } = head;
  const detail = `the head of ${at} is not signed with the public key`;
  return { projectId, seq, eventId: null, what: 'forged', detail };
}
