/** The same database, in which every connection begins with these settings. */
export function withSettings(connectionString: string, settings: Readonly<Record<string, string>>): string {
  const url = new URL(connectionString);
  // What stands in the URL would replace options that are given beside it.
  const given = url.searchParams.get('options');
  const set = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  url.searchParams.set('options', [given, ...set].filter(Boolean).join(' '));
  return url.href;
}
