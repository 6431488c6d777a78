/** The vendor's error codes by what they mean for a call. The table is that of the API reference. */

/** Codes of the gateway, by number: `APIGW.0308` and `APIG.0308` are the same. */
const gateway = {
  throttled: ['0308'],
  /** The gateway could not reach the backend or IAM: surely not carried out. */
  unreached: ['0605', '0606', '0608', '0609', '0610', '0611', '0613'],
  authentication: ['0301', '0303', '0305', '0307'],
  endpoint: ['0101', '0106', '0302', '0304', '0306', '0310', '0401', '0402', '0404', '0501', '0502', '0802'],
  badRequest: ['0201'],
} as const;

const hss = {
  /** May blame one cluster of several. */
  invalid: ['HSS.0001', 'HSS.0002'],
  /** Access denied, not found, insufficient permissions: it is the task or the enterprise project. */
  refused: ['HSS.0010', 'HSS.0011', '00000010'],
  forbidden: ['HSS.0013'],
  agentOffline: ['HSS.1007'],
  agentFailed: ['HSS.1004', 'HSS.1006', 'HSS.1008'],
} as const;

export type CodeClass = keyof typeof gateway | keyof typeof hss | 'otherGateway' | 'otherHss' | 'none';

const classes = new Map<string, CodeClass>([
  ...entries(gateway).map(([number, codeClass]): [string, CodeClass] => [`gateway ${number}`, codeClass]),
  ...entries(hss),
]);

export function classOfCode(code: string | null): CodeClass {
  if (code === null) return 'none';
  const number = /^APIGW?\.(\d+)$/.exec(code)?.[1];
  if (number) return classes.get(`gateway ${number}`) ?? 'otherGateway';
  return classes.get(code) ?? (/^(HSS\.\d+|\d{8})$/.test(code) ? 'otherHss' : 'none');
}

function entries<K extends string>(table: Readonly<Record<K, readonly string[]>>): [string, K][] {
  return (Object.keys(table) as K[]).flatMap((key) => table[key].map((code): [string, K] => [code, key]));
}
