import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { buildConnector } from 'undici';

export interface TlsTrust {
  /** A further certificate authority, PEM. */
  readonly ca: string | null;
}

/**
 * The one connection of one call. It keeps hold of the TCP socket itself, also under TLS, since only that one can be reset: an
 * orderly close would still deliver what waits in the send buffer, minutes after the call was given up.
 */
export class Connection {
  #tcp: Socket | null = null;
  #ended = false;

  constructor(private readonly trust: TlsTrust) {}

  /** undici's connector. A second connection is refused, so that no call can leave twice. */
  readonly connect: buildConnector.connector = (options, callback) => {
    if (this.#tcp || this.#ended) {
      callback(new Error('one connection a call'), null);
      return;
    }
    const port = Number(options.port || (options.protocol === 'https:' ? 443 : 80));
    const tcp = connectTcp({ host: options.hostname, port, noDelay: true });
    this.#tcp = tcp;
    const failed = (error: Error): void => callback(error, null);
    tcp.once('error', failed).on('error', ignore);
    tcp.once('connect', () => {
      tcp.off('error', failed);
      if (options.protocol === 'https:') this.#secure(tcp, options, callback);
      else callback(null, tcp);
    });
  };

  /** Nothing is delivered any more from here on. */
  reset(): void {
    this.#ended = true;
    // A socket that is still connecting would wait for its connection in order to reset it.
    if (this.#tcp?.connecting) this.#tcp.destroy();
    else this.#tcp?.resetAndDestroy();
  }

  /** After a whole answer: nothing waits in the send buffer. */
  close(): void {
    this.#ended = true;
    this.#tcp?.destroy();
  }

  #secure(tcp: Socket, options: buildConnector.Options, callback: buildConnector.Callback): void {
    const servername = options.servername || (isIP(options.hostname) ? '' : options.hostname);
    const tls = connectTls({
      socket: tcp,
      host: options.hostname,
      servername,
      ALPNProtocols: ['http/1.1'],
      ...(this.trust.ca === null ? {} : { ca: this.trust.ca }),
    });
    const failed = (error: Error): void => callback(error, null);
    tls.once('error', failed).on('error', ignore);
    tls.once('secureConnect', () => {
      tls.off('error', failed);
      callback(null, tls);
    });
  }
}

/** Errors are undici's to handle while a connection is in use; one that was given up may still report some, to nobody. */
function ignore(): void {}
