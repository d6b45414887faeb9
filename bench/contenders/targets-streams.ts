import { once } from 'node:events';
import { Client, credentials } from '@grpc/grpc-js';
import { options, startSample } from '../contender.js';
import { watchCost } from '../etcd-metrics.js';
import { asBytes, WATCH_PATH } from '../grpc-paths.js';
import { watchRequest } from '../undecoded.js';

/** Watches on a stream each, with grpc-js: the lower bound of a client that does not share streams. */
const { host, targets } = options() as { host: string; targets: number };

const client = new Client(new URL(host).host, credentials.createInsecure());
const cost = await watchCost(host, targets);
const finish = startSample();
const created = Array.from({ length: targets }, () => {
  const stream = client.makeBidiStreamRequest(WATCH_PATH, asBytes, asBytes);
  stream.write(watchRequest({}));
  return once(stream, 'data');
});
await Promise.all(created);
const costs = await cost();
finish(created.length, { ...costs });
