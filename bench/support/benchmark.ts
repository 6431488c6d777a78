import type { Finding } from './report.js';
import type { Stage } from './stage.js';

export interface Benchmark {
  readonly name: string;
  readonly about: string;
  run(stage: Stage): Promise<readonly Finding[]>;
}
