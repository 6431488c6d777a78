import { Injectable } from '@nestjs/common';
import { DomainError } from '../domain/domain-error.js';
import type { Submission } from '../domain/request.js';
import type { ScanType } from '../domain/scan-type.js';
import { REPLAYABLE_RESULTS, type TargetResult } from '../domain/target.js';
import { RequestLedger } from '../ledger/requests.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { Principal } from '../security/principal.js';
import { IntakeService, type Accepted } from './intake.service.js';
import { refuseForeign } from './ownership.js';
import { ReplayRequestDto } from './replay-request.dto.js';
import { RequestDto } from './request.dto.js';
import { RequestReader } from './request-reader.js';

/** A new request of what another one did not get. */
@Injectable()
export class ReplayService {
  constructor(
    private readonly intake: IntakeService,
    private readonly reader: RequestReader,
    private readonly requests: RequestLedger,
  ) {}

  async replay(id: string, body: ReplayRequestDto, key: string, principal: Principal): Promise<Accepted> {
    const original = await this.reader.find(id, principal);
    refuseForeign(original, principal);
    const results = [...(body.results ?? REPLAYABLE_RESULTS)].sort();
    const scanTypes = await this.reader.scanTypes(id, principal);
    const priority = body.priority ?? original.priority;
    const deadline = body.deadline ?? null;
    const callbackUrl = body.callbackUrl ?? null;
    // Only where there is one: keys that are known already keep their meaning.
    const told = callbackUrl === null ? [] : [callbackUrl];
    return this.intake.accept(
      {
        projectId: original.projectId,
        meaning: JSON.stringify(['replay', id, results, priority, deadline?.getTime() ?? null, ...told]),
        source: 'replay',
        replayOf: id,
        deadline,
        callbackUrl,
        priority,
        clusters: original.counts.total,
        read: async (tx) => ({
          ...(await this.submissionOf(tx, original, scanTypes, results)),
          priority,
          deadline,
          callbackUrl,
        }),
      },
      key,
      principal,
    );
  }

  private async submissionOf(
    tx: Tx,
    original: RequestDto,
    scanTypes: readonly ScanType[],
    results: readonly TargetResult[],
  ): Promise<Submission> {
    const clusters = await this.requests.clustersWithResult(tx, original.id, results);
    if (clusters.length === 0) {
      throw new DomainError('nothing_to_replay', `No target of this request ended as ${results.join(', ')}.`);
    }
    const { projectId, enterpriseProjectId, taskId, labels, priority, deadline, maxRounds } = original;
    const clusterIds = clusters.filter((cluster) => cluster !== null);
    return {
      projectId,
      enterpriseProjectId,
      taskId,
      range: clusterIds.length > 0 ? 'specific_cluster' : 'all_failed_cluster',
      clusterIds,
      scanTypes,
      priority,
      deadline,
      maxRounds,
      labels,
      callbackUrl: null,
    };
  }
}
