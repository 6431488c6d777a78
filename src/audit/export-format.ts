import { stringify, type Options } from 'csv-stringify/sync';
import type { ExportRow } from './export-scope.js';

export const EXPORT_FORMATS = ['ndjson', 'csv'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export const MEDIA_TYPES = {
  ndjson: 'application/x-ndjson',
  csv: 'text/csv; charset=utf-8; header=present',
} as const satisfies Record<ExportFormat, string>;

/** What stands before the first row. Without a byte order mark, spreadsheets take UTF-8 for an 8-bit character set of their own. */
export const headOf = (format: ExportFormat, columns: readonly string[]): string =>
  format === 'csv' ? csv([], columns, { header: true, bom: true }) : '';

export const linesOf = (format: ExportFormat, columns: readonly string[], rows: readonly ExportRow[]): string =>
  format === 'csv' ? csv(rows, columns, {}) : rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** RFC 4180. What a spreadsheet would take for a formula gets an apostrophe before it. */
function csv(rows: readonly object[], columns: readonly string[], head: Options): string {
  return stringify([...rows], {
    ...head,
    columns: [...columns],
    record_delimiter: 'windows',
    escape_formulas: true,
    cast: { boolean: String, date: (date) => date.toISOString(), object: toText },
  });
}

/** Ids and scan types side by side, everything else as JSON. */
const toText = (value: object): string =>
  Array.isArray(value) && value.every((one) => typeof one === 'string') ? value.join(' ') : JSON.stringify(value);
