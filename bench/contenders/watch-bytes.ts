import { Client, credentials } from '@grpc/grpc-js';
import { options, startSample } from '../contender.js';
import { asBytes, WATCH_PATH } from '../grpc-paths.js';
import { type BytesOptions, countMessages, watchRequest } from '../undecoded.js';

/** The lower bound of grpc-js: it delivers messages as bytes that are not decoded. */
const choice = options() as BytesOptions;

const client = new Client(new URL(choice.hosts[0] ?? '').host, credentials.createInsecure(), {
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc-node.flow_control_window': 1_048_576,
});
const stream = client.makeBidiStreamRequest(WATCH_PATH, asBytes, asBytes);
stream.on('data', countMessages(choice, startSample()));
stream.write(watchRequest(choice));
