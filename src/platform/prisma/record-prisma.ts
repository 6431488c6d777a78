import { withSettings } from '../database/with-settings.js';
import { PrismaService } from './prisma.service.js';

/** Of the connections that a process has for its own work: queries of auditors can fill their own alone. */
const SHARE = 0.5;

/** How whoever reads the record is connected. */
export const RECORD_SETTINGS = {
  // Planned once a connection. Over the months of some years, and all of their indexes, planning a page takes longer than reading it.
  plan_cache_mode: 'force_generic_plan',
  default_transaction_read_only: 'on',
};

/** The database for those who only read the record; the service's own work has connections of its own. */
export class RecordPrisma extends PrismaService {
  constructor(connectionString: string, poolSize: number) {
    super(withSettings(connectionString, RECORD_SETTINGS), Math.ceil(poolSize * SHARE));
  }
}
