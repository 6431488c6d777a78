import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PLANTED } from '../../faults/planted/bugs.js';

const SRC = join(import.meta.dirname, '../../../src');

/** The fault suite takes half an hour to say that a source has changed under a bug that is to be planted in it. */
describe('a planted bug', () => {
  it.each(Object.entries(PLANTED).flatMap(([name, { edits }]) => edits.map((edit) => [name, edit] as const)))(
    '%s finds the text that it changes, once',
    async (_name, { file, from }) => {
      expect((await readFile(join(SRC, file), 'utf8')).split(from)).toHaveLength(2);
    },
  );
});
