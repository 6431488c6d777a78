import { appendFileSync } from 'node:fs';
import { onCrashPoint } from '../../../src/platform/crash-points.js';
import { HssClient } from '../../../src/upstream/hss-client.js';
import type { RetryAnswer, RetryCall } from '../../../src/upstream/scan-tasks.js';

/** `send.before:3:kill`: at the third pass of that point. `sent` is the moment after the first byte of a RetryTask was written. */
const [point = '', pass = '1', action = 'kill', ms = '0'] = (process.env['FAULT_AT'] ?? '').split(':');
let passes = 0;

function visit(reached: string): void {
  if (reached !== point) return;
  passes += 1;
  if (passes !== Number(pass)) return;
  appendFileSync(process.env['FAULT_LOG'] ?? '/dev/null', `${process.pid} ${point}:${pass}:${action} ${Date.now()}\n`);
  act();
}

function act(): void {
  if (action === 'kill') process.kill(process.pid, 'SIGKILL');
  if (action === 'stop') process.kill(process.pid, 'SIGSTOP');
  if (action === 'block') block(Number(ms));
}

/** As a long computation does: no timer, no socket, nothing else of this process runs meanwhile. */
function block(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs);
}

onCrashPoint(visit);

// eslint-disable-next-line @typescript-eslint/unbound-method -- called with its own `this` below
const retry = HssClient.prototype.retry;
HssClient.prototype.retry = function (this: HssClient, call: RetryCall): Promise<RetryAnswer> {
  const mayStart = (): boolean => {
    const may = call.mayStart();
    // undici writes in this very tick.
    if (may) setImmediate(() => visit('sent'));
    return may;
  };
  return retry.call(this, { ...call, mayStart });
};
