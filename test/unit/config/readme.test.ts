import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { envVariables } from '../../../src/config/env-variables.js';

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

it('lists every variable in the README as the service reads it', () => {
  const rows = Object.values(envVariables).map(({ name, fallback, required, meaning }) => {
    const initially = required ? 'required' : !fallback ? '' : `\`${fallback}\``;
    return `| \`${name}\` | ${initially} | ${meaning} |`;
  });
  const table = ['| variable | default | meaning |', '|---|---|---|', ...rows].join('\n');
  const [, found] = /<!-- env: .*? -->\n([\s\S]*?)\n<!-- \/env -->/.exec(readme) ?? [];
  expect(found).toBe(table);
});
