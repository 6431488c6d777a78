export const operations = [
  'RetryTask',
  'ListTasks',
  'ListTaskResources',
  'ShowTaskStatistics',
  'CreateTask',
  'CreateToken',
] as const;
export type Operation = (typeof operations)[number];

export interface Route {
  readonly operation: Operation;
  readonly projectId: string;
  readonly taskId: string;
}

const routes: readonly (readonly [Operation, string, readonly string[]])[] = [
  ['RetryTask', 'PUT', ['v5', '{project}', 'common', 'tasks', '{task}', 'retry']],
  ['ListTasks', 'POST', ['v5', '{project}', 'common', 'tasks', 'batch-query']],
  ['ListTaskResources', 'POST', ['v5', '{project}', 'common', 'tasks', '{task}', 'resources', 'batch-query']],
  ['ShowTaskStatistics', 'GET', ['v5', '{project}', 'common', 'task-statistics']],
  ['CreateTask', 'POST', ['v5', '{project}', 'common', 'task']],
  ['CreateToken', 'POST', ['v3', 'auth', 'tokens']],
];

/** Takes the path as it came over the wire: nothing is folded or unescaped before it is cut into segments. */
export function route(method: string, path: string): Route | null {
  const segments = path.split('/').slice(1);
  for (const [operation, verb, pattern] of routes) {
    if (verb !== method || pattern.length !== segments.length) continue;
    const found = match(pattern, segments);
    if (found) return { operation, ...found };
  }
  return null;
}

function match(pattern: readonly string[], segments: readonly string[]): { projectId: string; taskId: string } | null {
  const found = { projectId: '', taskId: '' };
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (part === '{project}' || part === '{task}') {
      const id = decoded(segment);
      if (id === null) return null;
      found[part === '{project}' ? 'projectId' : 'taskId'] = id;
    } else if (part !== segment) {
      return null;
    }
  }
  return found;
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
