import { type Answer, errorAnswer, json } from './answers.js';
import { type Fields, fields, InvalidInput, listOf, oneOf, optional, required, text } from './reading.js';
import type { Scenario, ScenarioCredential } from './scenario.js';
import type { IssuedToken, Tokens } from './tokens.js';

type Login = { readonly user: string; readonly password: string; readonly domain: string; readonly scope: Fields };

/** IAM's POST /v3/auth/tokens with the method `password`: 201, the token in a header. */
export function createToken(
  body: unknown,
  query: URLSearchParams,
  scenario: Scenario,
  tokens: Tokens,
  now: number,
): Answer {
  let login: Login;
  try {
    login = readLogin(body);
  } catch (error) {
    if (error instanceof InvalidInput) return iamError(400, `Invalid request: ${error.message}`);
    throw error;
  }
  const credential = scenario.credentials.find(
    ({ user }) => user?.name === login.user && user.password === login.password && user.domain === login.domain,
  );
  if (!credential) return iamError(401, 'The username or password is wrong.');
  const projectId = projectOf(login.scope, credential, scenario);
  if (projectId === null) return iamError(404, 'Could not find project.');
  const issued = tokens.issue(credential, projectId, now);
  return json(201, tokenBody(issued, login, query.get('nocatalog') === 'true'), { 'X-Subject-Token': issued.token });
}

function readLogin(body: unknown): Login {
  const auth = required(fields(body, 'body'), 'auth', fields);
  const identity = required(auth, 'identity', fields);
  required(identity, 'methods', listOf(oneOf(['password']), { min: 1, max: 1 }));
  const user = required(required(identity, 'password', fields), 'user', fields);
  return {
    user: required(user, 'name', text()),
    password: required(user, 'password', text()),
    domain: required(required(user, 'domain', fields), 'name', text()),
    scope: required(required(auth, 'scope', fields), 'project', fields),
  };
}

function projectOf(scope: Fields, credential: ScenarioCredential, scenario: Scenario): string | null {
  const id = optional(scope, 'id', text()) ?? scenario.projectNames[optional(scope, 'name', text()) ?? ''];
  if (id === undefined) return null;
  return credential.projects === '*' || credential.projects.includes(id) ? id : null;
}

function tokenBody(issued: IssuedToken, login: Login, withoutCatalog: boolean): unknown {
  const domain = { id: `domain-of-${login.domain}`, name: login.domain };
  return {
    token: {
      methods: ['password'],
      issued_at: iamTime(issued.issuedAt),
      expires_at: iamTime(issued.expiresAt),
      project: { id: issued.projectId, name: issued.projectId, domain },
      user: { id: `user-${login.user}`, name: login.user, domain, password_expires_at: '' },
      roles: [{ id: '0', name: 'hss_admin' }],
      ...(withoutCatalog ? {} : { catalog: [] }),
    },
  };
}

/** IAM writes microseconds. */
function iamTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

function iamError(status: number, message: string): Answer {
  return errorAnswer({ status, code: String(status), message, shape: 'iam' }, '');
}
