import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { readLines } from '../verifying/export-file.js';

export interface ArchiveFile {
  readonly name: string;
  readonly rows: number;
  /** Of the file as it lies there, compressed. */
  readonly sha256: string;
}

/** NDJSON, gzip. It has its name only once all of it is on the disk. @param lines without their line breaks */
export async function writeArchive(folder: string, name: string, lines: AsyncIterable<string>): Promise<ArchiveFile> {
  const hash = createHash('sha256');
  let rows = 0;
  const counted = async function* (): AsyncGenerator<string> {
    for await (const line of lines) {
      rows += 1;
      yield `${line}\n`;
    }
  };
  const hashed = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };
  await writeWhole(folder, name, (part) =>
    pipeline(Readable.from(counted()), createGzip(), hashed, createWriteStream(part, { flush: true, mode: 0o600 })),
  );
  return { name, rows, sha256: hash.digest('hex') };
}

/** JSON. It has its name only once all of it is on the disk. */
export function writeManifest(folder: string, name: string, manifest: object): Promise<void> {
  return writeWhole(folder, name, (part) => writeFile(part, `${JSON.stringify(manifest, null, 2)}\n`, { flush: true }));
}

/** Reads it back from its beginning to its end. @throws Error that says what is wrong with it */
export async function checkArchive(folder: string, { name, rows, sha256 }: ArchiveFile): Promise<void> {
  const path = join(folder, name);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  let read = 0;
  for await (const line of readLines(path)) {
    if (line === '') continue;
    JSON.parse(line);
    read += 1;
  }
  if (hash.digest('hex') !== sha256 || read !== rows) throw new Error(`${path} is not what was written to it`);
}

/** @param write writes all of a file, and returns once that is on the disk */
async function writeWhole(folder: string, name: string, write: (part: string) => Promise<void>): Promise<void> {
  const part = join(folder, `${name}.part`);
  await write(part);
  await rename(part, join(folder, name));
  await syncFolder(folder);
}

/** A rename is on the disk when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
