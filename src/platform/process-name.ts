import { hostname } from 'node:os';

/** Names this process in records and logs; for people, and never a key. */
export const processName = `${hostname().slice(0, 48)}-${process.pid}`;
