import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Etcd3 } from 'etcd3';
import { options, startSample } from '../contender.js';

/** Lists a prefix with etcd3's `getAll`. */
const { hosts } = options() as { hosts: string[] };

const client = new Etcd3({ hosts, grpcOptions: { 'grpc.max_receive_message_length': -1 } });
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const finish = startSample();
let seen = 0;
let bytes = 0;
for (const value of Object.values(await client.getAll().prefix('/b/').buffers())) {
  bytes += value.length;
  seen += 1;
}
// The histogram records the last block in the next turn of the event loop.
setTimeout(() => {
  finish(seen, { longestBlockMs: delay.max / 1e6, bytes });
}, 5);
