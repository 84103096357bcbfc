// `NODE_OPTIONS=--import …/clock-skew.mjs FAULTS_CLOCK_OFFSET_MS=3600000`: the process believes the wrong time. Timers and the
// monotonic clock run on as they are, as they do on a machine whose clock is off.
const offset = Number(process.env.FAULTS_CLOCK_OFFSET_MS);
const RealDate = Date;
const now = () => RealDate.now() + offset;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [now()] : args, self),
  apply: () => new RealDate(now()).toString(),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
});
