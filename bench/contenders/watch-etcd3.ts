import { Etcd3 } from 'etcd3';
import { options, startSample } from '../contender.js';

/** Watches with etcd3's `Watcher`. */
const { hosts, events, fromRevision, touch } = options() as {
  hosts: string[];
  events: number;
  fromRevision?: number;
  touch?: boolean;
};

const client = new Etcd3({ hosts, grpcOptions: { 'grpc.max_receive_message_length': -1 } });
const finish = startSample();
let seen = 0;
let bytes = 0;
const builder = client.watch().prefix('/b/');
if (fromRevision !== undefined) builder.startRevision(String(fromRevision));
const watcher = builder.watcher();
watcher.on('put', ({ key, value }) => {
  if (touch) bytes += key.toString().length + value.length;
  seen += 1;
  if (seen === events) finish(seen, { bytes });
});
