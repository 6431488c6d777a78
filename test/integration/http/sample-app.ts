import { Body, Controller, Get, HttpCode, Module, Param, Post, Query } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { IsIn, IsString, MaxLength } from 'class-validator';
import { createHttpApp } from '../../../src/platform/http/create-app.js';
import {
  IsEnterpriseProjectId,
  IsIdArray,
  IsLabels,
  IsProjectId,
  IsTaskId,
  MayBeAbsent,
  QueryInt,
  Rfc3339Date,
} from '../../../src/platform/http/dto-rules.js';
import { IdempotencyKey } from '../../../src/platform/http/idempotency-key.js';
import { NoBody } from '../../../src/platform/http/no-body.js';
import { noSuchThing, PathLaneId, PathUuid } from '../../../src/platform/http/path-id.js';

class SubmitDto {
  @IsProjectId()
  projectId!: string;

  @IsTaskId()
  taskId!: string;

  @MayBeAbsent()
  @IsEnterpriseProjectId()
  enterpriseProjectId: string = '0';

  @IsIn(['all_failed_cluster', 'specific_cluster'])
  range!: string;

  @MayBeAbsent()
  @IsIdArray(100_000)
  clusterIds?: string[];

  @MayBeAbsent()
  @Rfc3339Date()
  deadline?: Date;

  @MayBeAbsent()
  @IsLabels()
  labels?: Record<string, string>;
}

class ReplayDto {
  @MayBeAbsent()
  @IsIn(['urgent', 'normal'])
  priority?: string;
}

class ListDto {
  @MayBeAbsent()
  @QueryInt(1, 200)
  limit: number = 50;

  @MayBeAbsent()
  @IsString()
  @MaxLength(512)
  cursor?: string;
}

/** The one request that there is, and the one lane. */
export const KNOWN_ID = '0198c0de-0000-7000-8000-000000000001';
export const KNOWN_LANE = 'main.retryTask';

function only<T>(known: T, given: T): { id: T } {
  if (given !== known) throw noSuchThing();
  return { id: given };
}

/** Errors of the test's choice, thrown by a route. */
export const trouble: { next: unknown } = { next: new Error('no trouble was set') };

interface Signal {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function signal(): Signal {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

/** What a slow route does: it tells that it began, and ends when it is told to. */
export class Slowness {
  static current = new Slowness();
  readonly started = signal();
  readonly release = signal();
}

@Controller('v1')
class SampleController {
  @Post('requests')
  @HttpCode(202)
  submit(@Body() body: SubmitDto, @IdempotencyKey() key: string): unknown {
    return { ...body, clusterIds: body.clusterIds?.length ?? null, key };
  }

  @Get('requests')
  list(@Query() query: ListDto): unknown {
    return { items: [], limit: query.limit };
  }

  @Get('requests/:id')
  read(@Param('id', PathUuid) id: string): unknown {
    return only(KNOWN_ID, id);
  }

  @Post('requests/:id/cancel')
  @HttpCode(200)
  @NoBody()
  cancel(@Param('id', PathUuid) id: string): unknown {
    return only(KNOWN_ID, id);
  }

  @Post('requests/:id/replay')
  @HttpCode(202)
  replay(@Param('id', PathUuid) id: string, @Body() body: ReplayDto, @IdempotencyKey() key: string): unknown {
    return { ...only(KNOWN_ID, id), ...body, key };
  }

  @Post('lanes/:id/pause')
  @HttpCode(200)
  @NoBody()
  pause(@Param('id', PathLaneId) id: string): unknown {
    return only(KNOWN_LANE, id);
  }

  @Get('trouble')
  fail(): never {
    throw trouble.next;
  }

  @Get('slow')
  async wait(): Promise<unknown> {
    const { started, release } = Slowness.current;
    started.resolve();
    await release.promise;
    return { done: true };
  }
}

@Module({ controllers: [SampleController] })
class SampleModule {}

export interface LoggedLine {
  readonly level: 'warn' | 'error';
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

export interface SampleApp {
  readonly app: NestFastifyApplication;
  readonly url: string;
  readonly lines: LoggedLine[];
}

/** A small service with a route of each kind, listening on a free port. */
export async function startSampleApp(): Promise<SampleApp> {
  const lines: LoggedLine[] = [];
  const app = await createHttpApp(SampleModule, {
    log: {
      warn: (fields, message) => void lines.push({ level: 'warn', fields, message }),
      error: (fields, message) => void lines.push({ level: 'error', fields, message }),
    },
    drainMs: 200,
  });
  await app.listen(0, '127.0.0.1');
  return { app, url: await app.getUrl(), lines };
}
