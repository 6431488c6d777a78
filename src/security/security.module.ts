import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ApiKeyGuard } from './api-key.guard.js';
import { ApiKeys } from './api-keys.js';
import { RefusedAccess } from './refused-access.js';

@Module({
  providers: [ApiKeys, RefusedAccess, { provide: APP_GUARD, useClass: ApiKeyGuard }],
  exports: [ApiKeys, RefusedAccess],
})
export class SecurityModule {}
