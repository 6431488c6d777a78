/** One HTTP answer, before its bytes. `code` is the error code in the body, for the ledger; null when there is none. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly code: string | null;
}

/** The body shapes that were seen upstream, besides none at all. */
export const errorShapes = ['gateway', 'hss', 'hss_old', 'iam', 'html', 'empty'] as const;
export type ErrorShape = (typeof errorShapes)[number];

export interface ErrorSpec {
  readonly status: number;
  readonly code: string;
  readonly message?: string;
  readonly shape?: ErrorShape;
}

const JSON_TYPE = { 'content-type': 'application/json' };

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(value), code: null };
}

/** RetryTask's success: no body, so no content type either. */
export const emptyOk: Answer = { status: 200, headers: {}, body: '', code: null };

export function errorAnswer(spec: ErrorSpec, requestId: string): Answer {
  const { status, code, message = defaultMessage(code), shape = shapeOf(code) } = spec;
  switch (shape) {
    case 'gateway':
      return { ...json(status, { error_msg: message, error_code: code, request_id: requestId }), code };
    case 'hss':
      return { ...json(status, { error_code: code, error_description: message, error_msg: message }), code };
    case 'hss_old':
      return { ...json(status, { error_code: code, error_description: message }), code };
    case 'iam':
      return { ...json(status, { error: { code: status, message, title: iamTitle(status) } }), code: String(status) };
    case 'html': {
      const body = `<html>\r\n<head><title>${status}</title></head>\r\n<body><center><h1>${status}</h1></center></body>\r\n</html>`;
      return { status, headers: { 'content-type': 'text/html' }, body, code: null };
    }
    case 'empty':
      return { status, headers: {}, body: '', code: null };
    default:
      return shape satisfies never;
  }
}

function shapeOf(code: string): ErrorShape {
  if (code.startsWith('HSS.')) return 'hss';
  if (/^\d+$/.test(code)) return 'hss_old';
  return code === '' ? 'empty' : 'gateway';
}

function iamTitle(status: number): string {
  const titles: Readonly<Record<number, string>> = {
    400: 'Bad Request',
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'Not Found',
  };
  return titles[status] ?? 'Error';
}

/** HSS often answers in Chinese: a client must not read meaning out of the text. */
function defaultMessage(code: string): string {
  const messages: Readonly<Record<string, string>> = {
    'HSS.0001': '参数错误',
    'HSS.0002': '解析请求失败',
    'HSS.0010': 'access denied',
    'HSS.0011': '资源不存在',
    'HSS.0013': 'insufficient permissions',
    'APIGW.0101': 'The API does not exist or has not been published in the environment',
    'APIGW.0201': 'Bad request',
    'APIGW.0307': 'The token must be updated.',
  };
  return messages[code] ?? `simulated error ${code}`;
}
