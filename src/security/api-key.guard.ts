import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiKeys } from './api-keys.js';
import type { Scope } from './principal.js';
import { Refused } from './refused.js';
import { IS_OPEN, SCOPES_OF_ROUTE, type Authenticated } from './route-access.js';

const MAX_KEY_LENGTH = 256;

/** Denies by default: a route without a word on who may call it is called by nobody. */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly keys: ApiKeys,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const places = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(IS_OPEN, places)) return true;
    const request = context.switchToHttp().getRequest<Authenticated>();
    const principal = await this.keys.principalOf(bearer(request.headers.authorization));
    request.principal = principal;
    const scopes = this.reflector.getAllAndOverride<Scope[] | undefined>(SCOPES_OF_ROUTE, places) ?? [];
    if (!scopes.some((scope) => principal.scopes.includes(scope))) {
      throw new Refused('missing_scope', `This needs a key with the scope ${scopes.join(' or ')}.`, 'missing_scope');
    }
    return true;
  }
}

function bearer(header: string | undefined): string {
  const key = /^Bearer +([\x21-\x7e]+)$/i.exec(header ?? '')?.[1] ?? '';
  return key.length <= MAX_KEY_LENGTH ? key : '';
}
