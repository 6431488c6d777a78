/** A host whose clock is wrong by `FAULT_CLOCK_MS`, or steps by as much to and fro every second with `FAULT_CLOCK_STEPS`. */
const offsetMs = Number(process.env['FAULT_CLOCK_MS'] ?? 0);
const steps = process.env['FAULT_CLOCK_STEPS'] !== undefined;
const RealDate = Date;

const off = (): number => (steps && Math.floor(performance.now() / 1_000) % 2 === 1 ? -offsetMs : offsetMs);

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [RealDate.now() + off()] : args, newTarget) as Date,
  get: (target, name) => (name === 'now' ? () => RealDate.now() + off() : (Reflect.get(target, name) as unknown)),
});
