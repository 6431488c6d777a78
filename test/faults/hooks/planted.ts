import { register } from 'node:module';
import { PLANTED } from '../planted/bugs.js';

/** Puts the bug that `FAULT_PLANTED` names into the source as it is loaded. */
const name = process.env['FAULT_PLANTED'] ?? '';
const bug = PLANTED[name];
if (!bug) throw new Error(`no bug is called ${name}`);
register('./planted-loader.mjs', { parentURL: import.meta.url, data: bug.edits });
