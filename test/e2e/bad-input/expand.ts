import { SUBMISSION, type CaseBody, type Part, type Text } from './bad-input-case.js';

export type Placeholders = Readonly<Record<string, string>>;

/** @throws for a placeholder that nobody filled in: it would be sent as it stands, and refused for the wrong reason. */
export function fill(text: string, placeholders: Placeholders): string {
  return text.replace(/\{\{(\w+)\}\}/g, (_whole, name: string) => {
    const value = placeholders[name];
    if (value === undefined) throw new Error(`the placeholder ${name} has no value`);
    return value;
  });
}

export function expandText(text: Text, placeholders: Placeholders): Buffer {
  if (typeof text === 'object' && 'parts' in text) {
    return Buffer.concat(text.parts.map((part) => expandPart(part, placeholders)));
  }
  return expandPart(text, placeholders);
}

export function expandBody(body: CaseBody, placeholders: Placeholders): Buffer {
  if ('submit' in body) {
    const fields = Object.entries({ ...SUBMISSION, ...body.submit }).filter(([name]) => !body.without?.includes(name));
    return json(Object.fromEntries(fields), placeholders);
  }
  if ('json' in body) return json(body.json, placeholders);
  if ('text' in body) return Buffer.from(fill(body.text, placeholders));
  return 'parts' in body ? expandText(body, placeholders) : Buffer.from(body.base64, 'base64');
}

function expandPart(part: Part, placeholders: Placeholders): Buffer {
  if (typeof part === 'string') return Buffer.from(fill(part, placeholders));
  if ('base64' in part) return Buffer.from(part.base64, 'base64');
  if ('repeat' in part) return Buffer.from(part.repeat[0].repeat(part.repeat[1]));
  const [text, times] = part.counted;
  return Buffer.from(Array.from({ length: times }, (_, index) => text.replace('#', String(index))).join(''));
}

function json(value: unknown, placeholders: Placeholders): Buffer {
  return Buffer.from(fill(JSON.stringify(expandValue(value)), placeholders));
}

/** `$repeat`: a text; `$ids`: a list of so many ids (and `$last`); `$fill`: a list of one value. */
function expandValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expandValue);
  if (typeof value !== 'object' || value === null) return value;
  const { $repeat, $ids, $last, $fill } = value as Record<string, unknown>;
  if (isPair($repeat)) return String($repeat[0]).repeat($repeat[1]);
  if (isPair($fill)) return Array<unknown>($fill[1]).fill($fill[0]);
  if (typeof $ids === 'number') {
    return [...Array.from({ length: $ids }, (_, index) => `cluster-${index}`), ...($last === undefined ? [] : [$last])];
  }
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, expandValue(field)]));
}

function isPair(value: unknown): value is readonly [unknown, number] {
  return Array.isArray(value) && typeof value[1] === 'number';
}
