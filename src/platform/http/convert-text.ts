const CONVERT = Symbol('convert-text');

export type TextConverter = (text: string) => unknown;

/** Converts a field that came as text before it is validated; text for which `convert` gives null stays text. */
export const ConvertText =
  (convert: TextConverter): PropertyDecorator =>
  (target, property) =>
    Reflect.defineMetadata(CONVERT, convert, target, property);

export function convertField(dto: object, property: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const convert = Reflect.getMetadata(CONVERT, dto, property) as TextConverter | undefined;
  return convert?.(value) ?? value;
}
