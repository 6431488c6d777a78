import type { PipeTransform } from '@nestjs/common';
import { DomainError } from '../../domain/domain-error.js';
import { ID_LENGTH, isUpstreamId, isUuid } from './ids.js';

/** The id of a request or a call in a path. What cannot be an id is not there: 404, as for an unknown one. */
export class PathUuid implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!isUuid(value)) throw noSuchThing();
    return value.toLowerCase();
  }
}

/** The id of a lane in a path, such as `main.retryTask`. */
export class PathLaneId implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!/^[a-z0-9-]{1,40}\.[A-Za-z]{1,40}$/.test(value)) throw noSuchThing();
    return value;
  }
}

/** The id of a project in a path. */
export class PathProjectId implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!isUpstreamId(value, ID_LENGTH.project)) throw noSuchThing();
    return value;
  }
}

/** The id of a cluster in a path. */
export class PathClusterId implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!isUpstreamId(value, ID_LENGTH.cluster)) throw noSuchThing();
    return value;
  }
}

/** A SHA-256 in a path, in hex. */
export class PathSha256 implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!/^[0-9a-f]{64}$/i.test(value)) throw noSuchThing();
    return value.toLowerCase();
  }
}

/** The same text for every way of not being there, another project's included, so that it gives nothing away. */
export function noSuchThing(): DomainError {
  return new DomainError('not_found', 'There is no such thing, or it is not one of yours.');
}
