import type { LookupFunction } from 'node:net';
import { Client, type Dispatcher } from 'undici';
import { VERSION } from '../config/version.js';
import type { CallbackAnswer } from '../domain/callback.js';
import { parseHttpDate, retryAfterMs } from '../domain/retry-after.js';
import { findOutboundUrlFault, hostOf } from '../platform/outbound/outbound-url.js';
import { Names, type ResolvedAddress } from '../platform/outbound/names.js';
import { isPublicAddress } from '../platform/outbound/public-address.js';

/** So much of an answer's body is let in, for an orderly end; nobody looks at it. */
const MAX_BODY_BYTES = 16_384;

export interface SenderOptions {
  readonly allowPrivate: boolean;
  /** From looking up the name to the end of the answer. */
  readonly timeoutMs: number;
  readonly names?: Names;
  /** Certificate authorities (PEM) to trust instead of Node's own. */
  readonly ca?: string;
}

export interface Outgoing {
  /** Who wants it there. */
  readonly caller: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Posts to where a caller said. Never throws for the network, follows no redirect, repeats nothing. */
export class CallbackSender {
  private readonly names: Names;

  constructor(private readonly options: SenderOptions) {
    this.names = options.names ?? new Names();
  }

  /** @param cutOff ends it, whatever it is at */
  async send(outgoing: Outgoing, cutOff: AbortSignal): Promise<CallbackAnswer> {
    const over = new AbortController();
    const cut = (): void => over.abort(new Over('interrupted'));
    const deadline = setTimeout(() => over.abort(new Over('timeout')), this.options.timeoutMs);
    cutOff.addEventListener('abort', cut);
    if (cutOff.aborted) cut();
    try {
      return await this.post(outgoing, over.signal);
    } catch (error) {
      const { reason } = over.signal as { reason?: unknown };
      return { kind: 'failed', error: reason instanceof Over ? reason.as : failureOf(error) };
    } finally {
      clearTimeout(deadline);
      cutOff.removeEventListener('abort', cut);
    }
  }

  private async post(outgoing: Outgoing, signal: AbortSignal): Promise<CallbackAnswer> {
    const { allowPrivate, ca } = this.options;
    // Asked again: what was allowed at its submission may not be any more.
    if (findOutboundUrlFault(outgoing.url, allowPrivate)) return { kind: 'failed', error: 'address_not_allowed' };
    const url = new URL(outgoing.url);
    const addresses = await this.names.resolve(hostOf(url), outgoing.caller, signal);
    if (addresses.length === 0) return { kind: 'failed', error: 'name_not_resolved' };
    const isAllowed = allowPrivate || addresses.every(({ address }) => isPublicAddress(address));
    if (!isAllowed) return { kind: 'failed', error: 'address_not_allowed' };
    // A connection of its own: a kept one would be to an address that was looked at another time.
    const client = new Client(url.origin, {
      // The signal ends a connection that is still being made, which undici would wait for.
      connect: { lookup: pinned(addresses), timeout: this.options.timeoutMs, signal, ...(ca !== undefined && { ca }) },
      // The one deadline covers both.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    try {
      return await this.exchange(client, url, outgoing, signal);
    } finally {
      await client.destroy();
    }
  }

  private async exchange(
    client: Client,
    { pathname, search }: URL,
    { headers, body }: Outgoing,
    signal: AbortSignal,
  ): Promise<CallbackAnswer> {
    const answer = await client.request({
      method: 'POST',
      path: pathname + search,
      headers: { 'content-type': 'application/json', 'user-agent': `rescan/${VERSION}`, ...headers },
      body,
      signal,
    });
    // The status has said it, whatever comes of the rest.
    await answer.body.dump({ limit: MAX_BODY_BYTES, signal }).catch(() => undefined);
    return { kind: 'answered', status: answer.statusCode, retryAfterMs: askedWaitMs(answer) };
  }
}

/** Why the signal ended it. */
class Over extends Error {
  constructor(readonly as: 'timeout' | 'interrupted') {
    super(as);
  }
}

/** The addresses that were looked at, whatever the name resolves to by now. Only a name is looked up: an address is taken as it is. */
function pinned(addresses: readonly ResolvedAddress[]): LookupFunction {
  return (_name, options, callback) => {
    const [first] = addresses;
    if (options.all || !first) callback(null, [...addresses]);
    else callback(null, first.address, first.family);
  };
}

function askedWaitMs({ headers }: Dispatcher.ResponseData): number | null {
  const text = (name: string): string | null => {
    const value = headers[name];
    return typeof value === 'string' ? value : null;
  };
  return retryAfterMs(text('retry-after'), parseHttpDate(text('date')));
}

/** By shape: what Node throws is no `Error` of this realm under Jest. The text is never kept: it may repeat the URL. */
function failureOf(error: unknown): Extract<CallbackAnswer, { kind: 'failed' }>['error'] {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (/^(ENOTFOUND|ENODATA|EAI_)/.test(code)) return 'name_not_resolved';
  if (/^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|EPROTO|HOSTNAME_)/.test(code)) return 'tls_failed';
  if (/^(ECONNRESET|EPIPE|UND_ERR_SOCKET|UND_ERR_CLOSED|HPE_|UND_ERR_HEADERS_OVERFLOW)/.test(code))
    return 'connection_lost';
  return code.endsWith('TIMEOUT') || code === 'ETIMEDOUT' ? 'timeout' : 'connection_failed';
}
