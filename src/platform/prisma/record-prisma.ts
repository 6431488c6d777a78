import { withSettings } from '../database/with-settings.js';
import { PrismaService } from './prisma.service.js';

/** How whoever reads the record is connected. */
export const RECORD_SETTINGS = {
  // Planned once a connection. Over the months of half a year, and all of their indexes, planning a page takes longer than reading it.
  plan_cache_mode: 'force_generic_plan',
  default_transaction_read_only: 'on',
};

/** A plan takes a third of a megabyte for ten months. What auditors ask every day are some dozens; combinations of filters, thousands. */
const MAX_STATEMENTS = 100;
/** A plan that was made when tables were small is not kept for long; one that is asked for now and then, for as long as that. */
const KEPT_SECONDS = 300;

/**
 * The database for those who read the record: connections of their own, so that they keep nobody waiting whose requests are work, and
 * which write nothing by mistake.
 */
export class RecordPrisma extends PrismaService {
  /** Only this one will do where it is asked for. */
  declare protected readonly forReaders: true;

  constructor(connectionString: string, poolSize: number) {
    super(withSettings(connectionString, RECORD_SETTINGS), poolSize, {
      application_name: 'rescan-record',
      maxStatements: MAX_STATEMENTS,
      idleTimeoutMillis: KEPT_SECONDS * 1_000,
      maxLifetimeSeconds: KEPT_SECONDS,
    });
  }
}
