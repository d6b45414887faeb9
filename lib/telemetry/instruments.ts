import type { Counter, Histogram, Meter, MetricOptions, ObservableGauge } from '@opentelemetry/api';
import { quietly } from './quietly.js';

/** In seconds. */
const DURATION_BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** All instruments, with UCUM units. Each has the attribute `etcd_trigger.cluster`. */
export const INSTRUMENTS = {
  reconnects: counter(
    'etcd_trigger.reconnects',
    '{reconnect}',
    'Watch streams that broke and were reopened, by target and error.type',
  ),
  resyncs: counter(
    'etcd_trigger.resyncs',
    '{resync}',
    'Net differences delivered instead of single changes, by target and reason',
  ),
  events: counter('etcd_trigger.events', '{event}', 'Changes received, by target and origin'),
  lag: gauge('etcd_trigger.revision.lag', '{revision}', 'Revisions by which a handler lags behind its target'),
  confirmationAge: gauge('etcd_trigger.confirmation.age', 's', 'Time since the last message from etcd about a target'),
  handlerDuration: histogram(
    'etcd_trigger.handler.duration',
    's',
    'Duration of handler calls, by handler, target and error.type',
  ),
  handlerRetries: counter('etcd_trigger.handler.retries', '{call}', 'Handler calls that retried a failed event'),
  handlerGivenUp: counter('etcd_trigger.handler.given_up', '{event}', 'Events dropped after all retry attempts failed'),
  deliveryFailures: counter(
    'etcd_trigger.delivery.failures',
    '{failure}',
    'Unexpected failures of the delivery itself, by target',
  ),
  handlerPending: gauge(
    'etcd_trigger.handler.pending',
    '{event}',
    'Events queued for a handler, plus its running calls',
  ),
  listenerFailures: counter(
    'etcd_trigger.listener.failures',
    '{call}',
    'Calls of listeners and subscribers that threw or rejected, by listener and error.type',
  ),
  storeKeys: gauge('etcd_trigger.store.keys', '{key}', 'Configurations visible to readers, by definition'),
  storeInvalid: gauge(
    'etcd_trigger.store.invalid',
    '{key}',
    'Keys whose current value failed validation, by definition',
  ),
  storeUpdates: counter('etcd_trigger.store.updates', '{update}', 'Changes of visible configurations, by definition'),
  storeRejections: counter('etcd_trigger.store.rejections', '{value}', 'Values rejected, by definition'),
  claimsHeld: gauge(
    'etcd_trigger.claims.held',
    '{claim}',
    'Elections, cron jobs, locks and partitions that this instance owns, by claim',
  ),
  claimsLost: counter(
    'etcd_trigger.claims.lost',
    '{claim}',
    'Elections, cron jobs, locks and partitions that were lost before they were given up, by claim',
  ),
  electionTerms: counter('etcd_trigger.election.terms', '{term}', 'Terms of this instance as leader, by election'),
  electionFailures: counter(
    'etcd_trigger.election.failures',
    '{call}',
    'Calls of @OnElected methods that rejected, by election and error.type',
  ),
  lockWaitDuration: histogram(
    'etcd_trigger.lock.wait.duration',
    's',
    'Duration of waits for locks, by outcome and error.type',
  ),
  cronTicks: counter('etcd_trigger.cron.ticks', '{tick}', 'Ticks of cron jobs that this instance started, by job'),
  cronMissed: counter('etcd_trigger.cron.missed', '{tick}', 'Ticks that no instance had started in time, by job'),
  cronSkipped: counter('etcd_trigger.cron.skipped', '{tick}', 'Ticks dropped while a call was running, by job'),
  cronFailures: counter(
    'etcd_trigger.cron.failures',
    '{call}',
    'Calls of @ClusterCron methods that rejected, by job and error.type',
  ),
  groupParked: counter('etcd_trigger.group.parked', '{event}', 'Events that this instance parked, by group'),
  groupLag: gauge(
    'etcd_trigger.group.lag',
    '{revision}',
    'Revisions of the target that the partitions of this instance have not handled, by group',
  ),
  groupAge: gauge(
    'etcd_trigger.group.age',
    's',
    'Time since the oldest event was received that is not handled, by group',
  ),
  groupPartitions: gauge(
    'etcd_trigger.group.partitions',
    '{partition}',
    'Partitions that this instance owns, by group',
  ),
  groupCheckpointDuration: histogram(
    'etcd_trigger.group.checkpoint.duration',
    's',
    'Duration of the writes that store the cursors of handler groups',
  ),
  writeDuration: histogram(
    'db.client.operation.duration',
    's',
    'Duration of writes, by db.operation.name, outcome and error.type',
  ),
} as const;

/** The synchronous instruments: recorded as events happen. */
export type Counters = Readonly<Record<NamesOf<'counter'>, Counter>> &
  Readonly<Record<NamesOf<'histogram'>, Histogram>>;

/** The observable instruments: read on every collection. */
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
      return quietCounter(meter.createCounter(name, options));
    case 'histogram':
      return quietHistogram(meter.createHistogram(name, options));
    case 'gauge':
      return meter.createObservableGauge(name, options);
  }
}

const quietCounter = (instrument: Counter): Counter => ({
  add: (...args) => {
    quietly(() => {
      instrument.add(...args);
    });
  },
});

const quietHistogram = (instrument: Histogram): Histogram => ({
  record: (...args) => {
    quietly(() => {
      instrument.record(...args);
    });
  },
});

function counter(name: string, unit: string, description: string) {
  return { kind: 'counter', name, options: { unit, description } } as const;
}

function gauge(name: string, unit: string, description: string) {
  return { kind: 'gauge', name, options: { unit, description } } as const;
}

function histogram(name: string, unit: string, description: string) {
  const options = { unit, description, advice: { explicitBucketBoundaries: DURATION_BUCKETS } };
  return { kind: 'histogram', name, options } as const;
}
