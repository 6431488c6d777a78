import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import pg from 'pg';
import { createTestDatabase, testRedisUrl, type TestDatabase } from '../../support/test-database.js';

describe('a test database', () => {
  let database: TestDatabase;
  let pool: pg.Pool;

  beforeAll(async () => {
    database = await createTestDatabase();
    pool = new pg.Pool({ connectionString: database.url });
  });

  afterAll(async () => {
    await pool.end();
    await database.drop();
  });

  it('has the whole schema', async () => {
    const { rows } = await pool.query(`SELECT to_regclass('target') IS NOT NULL AS is_there`);
    expect(rows).toEqual([{ is_there: true }]);
  });

  it('is apart from every other', async () => {
    const other = await createTestDatabase();
    await pool.query('CREATE TABLE mine (id int)');
    const client = new pg.Client(other.url);
    await client.connect();
    const { rows } = await client.query(`SELECT to_regclass('mine') AS mine`);
    await client.end();
    await other.drop();
    expect(rows).toEqual([{ mine: null }]);
  });

  it('moves time under connections that are open and statements that are prepared', async () => {
    const ahead = {
      name: 'ahead',
      text: `SELECT extract(epoch FROM (SELECT rescan_now()) - clock_timestamp())::float8 AS s`,
    };
    const seconds = async (): Promise<number> => (await pool.query<{ s: number }>(ahead)).rows[0]?.s ?? NaN;
    expect(await seconds()).toBeCloseTo(0, 0);
    await database.advance(60_000);
    await database.advance(1_500);
    expect(await seconds()).toBeCloseTo(61.5, 0);
  });
});

it('has a Redis that forgets nothing under pressure', async () => {
  const redis = new Redis(testRedisUrl());
  expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
  redis.disconnect();
});
