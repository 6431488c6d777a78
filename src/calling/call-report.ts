import { Injectable, Logger } from '@nestjs/common';
import type { Lane } from '../config/lanes.js';
import { Metrics } from '../platform/telemetry/metrics.js';
import type { RetryAnswer } from '../upstream/scan-tasks.js';
import type { Settled } from './settled.js';
import type { StartedCall } from './call-starter.js';

/** One line tells an attempt's whole story, and the counters follow it. */
@Injectable()
export class CallReport {
  private readonly logger = new Logger('Call');

  constructor(private readonly metrics: Metrics) {}

  settled(lane: Lane, call: StartedCall, answer: RetryAnswer, settled: Settled | null): void {
    const { outcome, durationMs } = answer;
    const { httpStatus, errorCode, upstreamRequestId } = outcome.evidence;
    const clusters = call.range.rangeType === 'specific_cluster' ? call.range.clusters.length : null;
    const line = {
      msg: settled ? `call ${outcome.kind}` : `call ${outcome.kind}, but it was settled before`,
      callId: call.id,
      laneId: lane.id,
      projectId: call.projectId,
      taskId: call.taskId,
      rangeType: call.range.rangeType,
      clusters,
      outcome: outcome.kind,
      cause: 'cause' in outcome ? outcome.cause : undefined,
      httpStatus,
      errorCode,
      upstreamRequestId,
      durationMs,
      decision: settled?.decision,
    };
    if (settled?.decision.alarm) this.logger.error({ ...line, alarm: true });
    else this.logger.log(line);
    if (!settled) return;
    this.metrics.callEnded(lane.id, outcome, durationMs);
  }
}
