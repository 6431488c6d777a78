import { ConfigError } from '../config/config-error.js';
import { parseEnv } from '../config/parse-env.js';
import { StartupProblem } from './startup-problem.js';

/** What the quickstart brings itself. */
const BROUGHT = /^(DATABASE_URL|CREDENTIALS_FILE): is not set/;

/** Refuses a broken variable before anything is started: the service itself would find out last. */
export function checkEnv(env: NodeJS.ProcessEnv): void {
  try {
    parseEnv(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = error.problems.filter((problem) => !BROUGHT.test(problem));
    if (problems.length > 0) throw new StartupProblem(problems.join('; '), { cause: error });
  }
}
