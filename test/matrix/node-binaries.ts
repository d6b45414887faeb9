import { execFile } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TemporaryFolder } from '../support/temporary-folder.js';

const run = promisify(execFile);

/** Versions of Node, installed from the npm registry. The running version is used as it is. */
export class NodeBinaries implements AsyncDisposable {
  readonly #paths = new Map([[process.versions.node.split('.')[0] ?? '', process.execPath]]);

  private constructor(private readonly folder: TemporaryFolder) {}

  static async install(majors: readonly string[]): Promise<NodeBinaries> {
    const binaries = new NodeBinaries(await TemporaryFolder.create('node-binaries'));
    const platform = `node-${process.platform}-${process.arch}`;
    for (const major of majors.filter((each) => !binaries.#paths.has(each))) {
      const cwd = await mkdtemp(join(binaries.folder.path, `${major}-`));
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
    await this.folder[Symbol.asyncDispose]();
  }
}
