import { onTestFinished } from 'vitest';
import { TemporaryFolder } from './temporary-folder.js';

/** Creates a folder for the current test, and removes it afterwards. Returns its path. */
export async function testFolder(): Promise<string> {
  const folder = await TemporaryFolder.create();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  return folder.path;
}
