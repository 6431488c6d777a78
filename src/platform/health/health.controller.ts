import { Controller, Get, HttpStatus, Inject, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProperty, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { AppConfig } from '../../config/app-config.js';
import { APP_CONFIG } from '../../config/tokens.js';
import { OpenToAll } from '../../security/route-access.js';
import { missingMigrations } from '../prisma/missing-migrations.js';
import { PrismaService } from '../prisma/prisma.service.js';
import { Bells } from '../queues/bells.js';
import { Heartbeats } from './heartbeats.js';

/** A worker that has not swept for so long is stuck. */
const SWEEP_WITHIN_MS = 10_000;

export class LivenessDto {
  @ApiProperty({ enum: ['live'] }) status!: 'live';
}

export class ReadinessDto {
  @ApiProperty({ enum: ['ready', 'not_ready'] }) status!: 'ready' | 'not_ready';
  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'string', enum: ['ok', 'degraded', 'down'] },
    description: '`queue` may be `degraded`: work goes on by the sweep, a little later.',
  })
  checks!: Record<string, 'ok' | 'degraded' | 'down'>;
}

@ApiTags('health')
@OpenToAll()
@Controller('health')
export class HealthController {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly bells: Bells,
    private readonly heartbeats: Heartbeats,
  ) {}

  @Get('live')
  @ApiOperation({ operationId: 'live', summary: 'The process answers' })
  @ApiOkResponse({ type: LivenessDto })
  live(): LivenessDto {
    return { status: 'live' };
  }

  @Get('ready')
  @ApiOperation({ operationId: 'ready', summary: 'The process can do its work' })
  @ApiOkResponse({ type: ReadinessDto })
  @ApiServiceUnavailableResponse({ type: ReadinessDto })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<ReadinessDto> {
    const [database, queueIsHealthy] = await Promise.all([this.database(), this.bells.isHealthy()]);
    const checks: ReadinessDto['checks'] = { ...database, queue: queueIsHealthy ? 'ok' : 'degraded' };
    if (this.config.role !== 'api') {
      checks['sweep'] = this.heartbeats.isAlive('sweep', SWEEP_WITHIN_MS) ? 'ok' : 'down';
    }
    const ready = !Object.values(checks).includes('down');
    if (!ready) reply.status(HttpStatus.SERVICE_UNAVAILABLE);
    return { status: ready ? 'ready' : 'not_ready', checks };
  }

  /** Being down is the answer here, and no error: whoever asks acts on it. */
  private async database(): Promise<Record<'database' | 'migrations', 'ok' | 'down'>> {
    try {
      const missing = await missingMigrations(this.prisma);
      return { database: 'ok', migrations: missing.length === 0 ? 'ok' : 'down' };
    } catch {
      return { database: 'down', migrations: 'down' };
    }
  }
}
