import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Creates a program that only prints the output of `etcd --version`. */
export async function writeFakeEtcd(path: string, version: string): Promise<string> {
  return writeProgram(path, `#!/bin/sh\necho "etcd Version: ${version}"\necho "Git SHA: 0"\n`);
}

export async function writeProgram(path: string, text: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  await chmod(path, 0o755);
  return path;
}
