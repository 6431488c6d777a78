/** HSS takes task and cluster ids of 1 to 64 characters, project and enterprise project ids of 1 to 256. */
export const MAX_ID = 64;
export const MAX_PROJECT_ID = 256;

/** What can stand in a path, a header and a table as it is, and is still the same id there. */
export function isId(value: unknown, maxLength = MAX_ID): value is string {
  return typeof value === 'string' && value.length <= maxLength && /^(?!\.{1,2}$)[\x21-\x7E]+$/.test(value);
}
