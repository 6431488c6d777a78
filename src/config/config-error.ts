/** Everything that is wrong with the configuration, at once: one line each, saying what to do, and never a value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly string[]) {
    const heading = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
    super(`The configuration has ${heading}:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
}
