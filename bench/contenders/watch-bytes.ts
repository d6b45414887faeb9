import { Client, credentials } from '@grpc/grpc-js';
import { options, startSample } from '../contender.js';
import { asBytes, WATCH_PATH } from '../grpc-paths.js';
import { eventsIn } from '../recording.js';
import { bytesField, numberField } from '../wire.js';

/**
 * The lower bound: grpc-js delivers messages as bytes that are not decoded. For a replay, the number of `messages` is
 * known; otherwise events are counted by their boundaries.
 */
const { hosts, events, messages, fromRevision } = options() as {
  hosts: string[];
  events: number;
  messages?: number;
  fromRevision?: number;
};

const client = new Client(new URL(hosts[0] ?? '').host, credentials.createInsecure(), {
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc-node.flow_control_window': 1_048_576,
});
const finish = startSample();
let seen = 0;
const stream = client.makeBidiStreamRequest(WATCH_PATH, asBytes, asBytes);
stream.on('data', (message: Buffer) => {
  seen += messages === undefined ? eventsIn(message) : 1;
  // The first message of a replay is the created response.
  if (seen === (messages === undefined ? events : messages + 1)) finish(events);
});
// etcdserverpb.WatchRequest: create_request with key, range_end and start_revision.
const range = [bytesField(1, Buffer.from('/b/')), bytesField(2, Buffer.from('/b0'))];
const start = fromRevision === undefined ? [] : [numberField(3, fromRevision)];
stream.write(bytesField(1, Buffer.concat([...range, ...start])));
