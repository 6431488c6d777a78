import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { InvalidInput } from './reading.js';
import type { ScenarioInput } from './scenario.js';
import { readScenario } from './scenario-readers.js';

/** Reads YAML, and so JSON too. Throws InvalidInput with one line that says what is wrong. */
export function loadScenario(path: string): ScenarioInput {
  let value: unknown;
  try {
    value = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new InvalidInput(
      `cannot read the scenario ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return readScenario(value ?? {}, 'scenario');
}
