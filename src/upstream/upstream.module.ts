import { Module } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import { HssClient } from './hss-client.js';
import { ScanTasks } from './scan-tasks.js';

@Module({
  providers: [
    {
      provide: ScanTasks,
      inject: [APP_CONFIG],
      useFactory: (config: AppConfig) => new HssClient(config.credentials, config.errorClasses),
    },
  ],
  exports: [ScanTasks],
})
export class UpstreamModule {}
