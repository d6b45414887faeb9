import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { record } from './record.js';

const VALUE_BYTES = 100;

/** Returns the file of a recording, and creates it if it does not exist. */
export async function recording(events: number, eventsAMessage: number): Promise<string> {
  const folder = join(tmpdir(), 'nestjs-etcd-trigger-bench');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `watch-${events}x${VALUE_BYTES}-by-${eventsAMessage}.bin`);
  if (!existsSync(file)) await record(file, { events, eventsAMessage, valueBytes: VALUE_BYTES });
  return file;
}
