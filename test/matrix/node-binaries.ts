import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Versions of Node, installed from the npm registry. The running version is used as it is. */
export class NodeBinaries implements AsyncDisposable {
  readonly #paths = new Map([[process.versions.node.split('.')[0] ?? '', process.execPath]]);

  private constructor(readonly folder: string) {}

  static async install(majors: readonly string[]): Promise<NodeBinaries> {
    const binaries = new NodeBinaries(await mkdtemp(join(tmpdir(), 'node-binaries-')));
    const platform = `node-${process.platform}-${process.arch}`;
    for (const major of majors.filter((each) => !binaries.#paths.has(each))) {
      const cwd = await mkdtemp(join(binaries.folder, `${major}-`));
      await writeFile(join(cwd, 'package.json'), '{"private":true}');
      await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `${platform}@${major}`], { cwd });
      binaries.#paths.set(major, join(cwd, 'node_modules', platform, 'bin', 'node'));
    }
    return binaries;
  }

  /** Returns the executable of a major version. */
  of(major: string): string {
    const path = this.#paths.get(major);
    if (path === undefined) throw new Error(`node ${major} is not installed`);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
