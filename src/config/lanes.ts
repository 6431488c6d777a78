import type { AppConfig, CallLimit, CredentialConfig } from './app-config.js';

/** Operations that are called within a budget. */
export const OPERATIONS = ['retryTask', 'listTasks', 'listTaskResources'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** The call budget of one credential for one operation, as configured. */
export interface Lane {
  /** `<credential>.<operation>` */
  readonly id: string;
  readonly operation: Operation;
  readonly credential: CredentialConfig;
  readonly limit: CallLimit;
}

export function lanesOf(config: Pick<AppConfig, 'credentials'>): Lane[] {
  return config.credentials.flatMap((credential) =>
    OPERATIONS.map((operation) => ({
      id: `${credential.name}.${operation}`,
      operation,
      credential,
      limit: credential.limits[operation],
    })),
  );
}

/** A project may have several lanes: whichever may send first sends. */
export const lanesServing = (lanes: readonly Lane[], projectId: string, operation: Operation): Lane[] =>
  lanes.filter((lane) => {
    const { projects } = lane.credential;
    return lane.operation === operation && (projects === '*' || projects.includes(projectId));
  });
