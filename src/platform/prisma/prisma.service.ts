import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import type { PoolConfig } from 'pg';
import { Prisma, PrismaClient } from '../../generated/prisma/client.js';
import { asServiceRole } from '../database/service-role.js';
import { sqlState } from './sql-state.js';
import { statementNames } from './statement-names.js';

export type Tx = Prisma.TransactionClient;

/** 40P01 deadlock, 40001 serialization: nothing of the transaction remains, so all of it may be done again. */
const REPEATABLE = new Set(['40P01', '40001']);
const MAX_TRIES = 3;
/** A whole request of 100,000 targets is one statement, and may take seconds on a small machine. */
const TRANSACTION_MS = 60_000;

@Injectable()
export class PrismaService extends PrismaClient implements OnApplicationShutdown {
  /** @param differs what the pool does unlike that of the service's own work */
  constructor(connectionString: string, poolSize: number, differs: PoolConfig & { maxStatements?: number } = {}) {
    const { maxStatements, ...pool } = differs;
    super({
      adapter: new PrismaPg(
        {
          connectionString: asServiceRole(connectionString),
          max: poolSize,
          connectionTimeoutMillis: 5_000,
          statement_timeout: TRANSACTION_MS,
          // A server that is gone without a word ends nothing by itself: whoever waits for its answer would wait for ever.
          query_timeout: TRANSACTION_MS + 5_000,
          keepAlive: true,
          // A stopped process must not keep its locks for ever.
          idle_in_transaction_session_timeout: TRANSACTION_MS,
          application_name: 'rescan',
          ...pool,
        },
        { statementNameGenerator: statementNames(maxStatements) },
      ),
    });
  }

  /** Runs `work` in one transaction, and again where the database asks for it (deadlock, serialization): at most three times. */
  async transact<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.$transaction(work, { timeout: TRANSACTION_MS, maxWait: 10_000 });
      } catch (error) {
        if (attempt >= MAX_TRIES || !REPEATABLE.has(sqlState(error) ?? '')) throw error;
      }
    }
  }

  /** After the workers, which close in `beforeApplicationShutdown` and still need it. */
  async onApplicationShutdown(): Promise<void> {
    await this.$disconnect();
  }
}
