import { noSuchThing } from '../platform/http/path-id.js';
import { mayTouch, type Principal } from './principal.js';
import { Refused } from './refused.js';

/** What belongs to other projects looks like what is not there, and goes on record as refused. */
export const otherProject = (): Refused => new Refused('not_found', noSuchThing().detail, 'other_project');

/** @throws DomainError `not_found` */
export function requireProject(projectId: string, principal: Principal): void {
  if (!mayTouch(principal, projectId)) throw otherProject();
}

/** The thing, where it is there and of the principal's projects. @throws DomainError `not_found` */
export function own<T extends { readonly projectId: string }>(thing: T | null | undefined, principal: Principal): T {
  if (!thing) throw noSuchThing();
  requireProject(thing.projectId, principal);
  return thing;
}
