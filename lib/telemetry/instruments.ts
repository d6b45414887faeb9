import type { Counter, Histogram, Meter, MetricOptions, ObservableGauge } from '@opentelemetry/api';

/** Seconds, from a tenth of a millisecond to ten seconds. */
const BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** Every instrument: its name, its unit by UCUM, and what it says. All have the attribute `etcd_trigger.cluster`. */
export const INSTRUMENTS = {
  reconnects: counter(
    'etcd_trigger.reconnects',
    '{reconnect}',
    'Streams that broke and were opened again, by target and error.type',
  ),
  resyncs: counter(
    'etcd_trigger.resyncs',
    '{resync}',
    'Net differences that were delivered instead of single changes, by target and reason',
  ),
  events: counter('etcd_trigger.events', '{event}', 'Changes that came in, by target and origin'),
  lag: gauge(
    'etcd_trigger.revision.lag',
    '{revision}',
    'How far a handler is behind what its target is known to be at',
  ),
  confirmationAge: gauge('etcd_trigger.confirmation.age', 's', 'Time since etcd last said something about a target'),
  handlerDuration: histogram(
    'etcd_trigger.handler.duration',
    's',
    'Calls of handlers, by handler, target and error.type',
  ),
  handlerRetries: counter(
    'etcd_trigger.handler.retries',
    '{call}',
    'Calls of handlers with what they had failed to take before',
  ),
  handlerGivenUp: counter(
    'etcd_trigger.handler.given_up',
    '{event}',
    'What handlers were not called with any more, after they had failed',
  ),
  handlerPending: gauge(
    'etcd_trigger.handler.pending',
    '{event}',
    'Events that wait for a handler, and calls that run',
  ),
  storeKeys: gauge('etcd_trigger.store.keys', '{key}', 'Configurations that readers see, by definition'),
  storeInvalid: gauge('etcd_trigger.store.invalid', '{key}', 'Keys that hold what was refused, by definition'),
  storeUpdates: counter('etcd_trigger.store.updates', '{update}', 'Changes of what readers see, by definition'),
  storeRejections: counter('etcd_trigger.store.rejections', '{value}', 'Values that were refused, by definition'),
  writeDuration: histogram('db.client.operation.duration', 's', 'Writes, by db.operation.name, outcome and error.type'),
} as const;

/** The instruments that are written to as things happen. */
export type Counters = Readonly<Record<NamesOf<'counter'>, Counter>> &
  Readonly<Record<NamesOf<'histogram'>, Histogram>>;

/** The instruments that are read when somebody collects. */
export type Gauges = Readonly<Record<NamesOf<'gauge'>, ObservableGauge>>;

type Kind = 'counter' | 'histogram' | 'gauge';
type NamesOf<Wanted extends Kind> = {
  [Name in keyof typeof INSTRUMENTS]: (typeof INSTRUMENTS)[Name]['kind'] extends Wanted ? Name : never;
}[keyof typeof INSTRUMENTS];

export const createCounters = (meter: Meter): Counters =>
  create(meter, ['counter', 'histogram']) as unknown as Counters;

export const createGauges = (meter: Meter): Gauges => create(meter, ['gauge']) as unknown as Gauges;

function create(meter: Meter, kinds: readonly Kind[]): object {
  const wanted = Object.entries(INSTRUMENTS).filter(([, { kind }]) => kinds.includes(kind));
  return Object.fromEntries(
    wanted.map(([key, { kind, name, options }]) => [key, createOne(meter, kind, name, options)]),
  );
}

function createOne(
  meter: Meter,
  kind: Kind,
  name: string,
  options: MetricOptions,
): Counter | Histogram | ObservableGauge {
  switch (kind) {
    case 'counter':
      return meter.createCounter(name, options);
    case 'histogram':
      return meter.createHistogram(name, options);
    case 'gauge':
      return meter.createObservableGauge(name, options);
  }
}

function counter(name: string, unit: string, description: string) {
  return { kind: 'counter', name, options: { unit, description } } as const;
}

function gauge(name: string, unit: string, description: string) {
  return { kind: 'gauge', name, options: { unit, description } } as const;
}

function histogram(name: string, unit: string, description: string) {
  const options = { unit, description, advice: { explicitBucketBoundaries: BUCKETS } };
  return { kind: 'histogram', name, options } as const;
}
