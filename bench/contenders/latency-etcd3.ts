import { Etcd3 } from 'etcd3';
import { options, startSample } from '../contender.js';
import { type LatencyOptions, LatencyProbe } from './latency-probe.js';

/** Measures the latency with etcd3's `Watcher`. */
const given = options() as LatencyOptions;

const client = new Etcd3({ hosts: given.hosts });
const probe = new LatencyProbe(given);
const watcher = await client.watch().prefix('/b/').create();
watcher.on('put', ({ key }) => {
  probe.arrived(key.toString());
});
const finish = startSample();
finish(given.puts, { ...(await probe.run()) });
