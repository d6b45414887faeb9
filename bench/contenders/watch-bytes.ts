import { Client, credentials } from '@grpc/grpc-js';
import { options, startSample } from '../contender.js';
import { asBytes, WATCH_PATH } from '../grpc-paths.js';
import { bytesField } from '../wire.js';

/** The floor: grpc-js hands over the messages as bytes, nobody looks into them. */
const { hosts, events, messages } = options() as { hosts: string[]; events: number; messages: number };

const client = new Client(new URL(hosts[0] ?? '').host, credentials.createInsecure(), {
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc-node.flow_control_window': 1_048_576,
});
const finish = startSample();
let seen = 0;
const stream = client.makeBidiStreamRequest(WATCH_PATH, asBytes, asBytes);
stream.on('data', () => {
  seen += 1;
  // The first one says that the watch is created.
  if (seen === messages + 1) finish(events);
});
stream.write(bytesField(1, bytesField(1, Buffer.from('/b/'))));
