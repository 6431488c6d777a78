import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import { parseLine, type SealedEvent } from '../domain/sealed-event.js';

/** An event of 100,000 targets has 1 MB; whatever is longer would fill the memory. */
const LONGEST_LINE = 64 * 1024 * 1024;

/** Why a source could not be read to its end: nothing is known of the rest. */
export class Unreadable extends Error {}

/** The sealed events of an export (NDJSON; a name that ends in .gz: gzip). @throws Unreadable */
export async function* readExport(path: string): AsyncGenerator<SealedEvent> {
  let number = 0;
  for await (const line of readLines(path)) {
    number += 1;
    if (line === '') continue;
    const sealed = parseLine(line);
    if (!sealed) throw new Unreadable(`line ${number} is no sealed event, or is cut off`);
    yield sealed;
  }
}

/** A line at a time; the last is empty where the file ends with a line break. @throws Unreadable */
export function readLines(path: string): AsyncGenerator<string> {
  return linesOf(open(path));
}

function open(path: string): Readable {
  const file = createReadStream(path);
  // The error comes out of the reading of the last part.
  return path.endsWith('.gz') ? pipeline(file, createGunzip(), () => undefined) : file;
}

async function* linesOf(stream: Readable): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const parts = (rest + decoder.write(chunk)).split('\n');
      rest = parts.pop() ?? '';
      if (rest.length > LONGEST_LINE) throw new Unreadable('a line is longer than 64 MiB');
      yield* parts;
    }
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    throw new Unreadable(error instanceof Error ? error.message : String(error));
  }
  yield rest + decoder.end();
}
