export const SCOPES = ['requests:write', 'requests:read', 'audit:read', 'schedules:write', 'ops'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who calls: what the key says, and nothing that the request says. */
export interface Principal {
  readonly keyId: string;
  readonly caller: string;
  readonly scopes: readonly Scope[];
  readonly projects: readonly string[] | '*';
}

export const mayTouch = (principal: Principal, projectId: string): boolean =>
  principal.projects === '*' || principal.projects.includes(projectId);
